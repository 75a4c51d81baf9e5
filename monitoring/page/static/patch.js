// Makes one element's content equal to another's with as few changes as there are differences.
// Children are matched by id where they have one, else by their place; equal nodes are not touched,
// so that selections in them survive. What belongs to the reader is left alone: whether details
// are open, and what was typed.
const READERS = new Set(["open", "value", "selected", "checked"]);

export function patch(shown, fresh) {
  const wanted = [...fresh.childNodes];
  const keyed = new Map([...shown.children].filter((one) => one.id).map((one) => [one.id, one]));
  const ids = new Set(wanted.map((node) => node.id).filter(Boolean));
  let next = shown.firstChild;
  for (const node of wanted) {
    while (next?.id && !ids.has(next.id)) {
      const gone = next;
      next = next.nextSibling;
      gone.remove();
    }
    const match = node.id ? keyed.get(node.id) : next && !next.id && alike(next, node) ? next : null;
    if (!match) {
      shown.insertBefore(document.adoptNode(node), next);
    } else {
      if (match === next) next = next.nextSibling;
      else shown.insertBefore(match, next);
      adjust(match, node);
    }
  }
  while (next) {
    const gone = next;
    next = next.nextSibling;
    gone.remove();
  }
}

function alike(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName;
}

function adjust(shown, fresh) {
  if (shown.nodeType !== Node.ELEMENT_NODE) {
    if (shown.data !== fresh.data) shown.data = fresh.data;
    return;
  }
  if (shown.isEqualNode(fresh)) return;
  for (const { name } of [...shown.attributes]) {
    if (!fresh.hasAttribute(name) && !own(shown, name)) shown.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (shown.getAttribute(name) !== value && !own(shown, name)) shown.setAttribute(name, value);
  }
  patch(shown, fresh);
}

function own(element, name) {
  // A hidden field and a meter are ours; what a reader writes or opens is theirs.
  return READERS.has(name) && element.type !== "hidden" && element.nodeName !== "METER";
}
