"""What people see: the status page, its plots, and the port they are served on."""
