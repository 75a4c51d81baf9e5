"""What is in a store, for commands that read it: a store or a model that is not there is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
import typer

from plumbline.bundle.suggestion import suggestion
from plumbline.store.errors import NotFoundError

if TYPE_CHECKING:
    from plumbline.store.objects import Objects
    from plumbline.store.registry import ModelRegistry

log = structlog.get_logger()


def existing_store(url: str) -> Objects:
    """Open a store that is there, and make none.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    from plumbline.store.objects import Objects

    return Objects(url, create=False)


def patient_store(url: str, *, create: bool = False) -> Objects:
    """Open a store for a training, which waits where the store is away, and says so once.

    Raises
    ------
    NotFoundError
        If there is none, and ``create`` is off.
    """
    from plumbline.store.patient import PatientObjects

    return PatientObjects(url, create=create, tell=lambda said: typer.echo(said, err=True))


def require_models(objects: Objects, wanted: list[str]) -> None:
    """Refuse a model that a store does not have.

    Raises
    ------
    NotFoundError
        Naming the model that was probably meant, or those there are.
    """
    from plumbline.store.registry import ModelRegistry

    names = ModelRegistry.names(objects)
    for model in wanted:
        if not names:
            raise NotFoundError(
                f"there is no model in {objects.url}: make one with `plumbline train`, "
                "or say --store"
            )
        if model not in names:
            raise NotFoundError(
                f"there is no model {model} in {objects.url}: {suggestion(model, names)}"
            )


def await_models(store: str, wanted: list[str], *, patient: bool = False) -> None:
    """Refuse a store or a model that is not there; where the store is empty yet, say so and go on.

    A service or a monitor may be there before its first model: it takes it as soon as there is one.

    Parameters
    ----------
    store, wanted
        Where to look for which models.
    patient
        Go on as well where the store has other models but not these.

    Raises
    ------
    NotFoundError
        As `existing_store` and `require_models`.
    """
    from plumbline.store.registry import ModelRegistry

    objects = existing_store(store)
    names = ModelRegistry.names(objects)
    if names and not patient:
        require_models(objects, wanted)
    elif not set(wanted) <= set(names):
        log.warning(
            "model_awaited", store=store, models=wanted, hint="make one with `plumbline train`"
        )


def open_registry(store: str, model: str | None) -> ModelRegistry:
    """Open the registry of a model, or of the only one there is.

    Raises
    ------
    NotFoundError
        If there is no such store or model, or several and none was said.
    """
    from plumbline.store.registry import ModelRegistry

    objects = existing_store(store)
    if model is None:
        names = ModelRegistry.names(objects)
        if len(names) > 1:
            raise NotFoundError(
                f"{store} has several models, say which with --model: {', '.join(names)}"
            )
        model = names[0] if names else ""
    require_models(objects, [model])
    return ModelRegistry(objects, model)
