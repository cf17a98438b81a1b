"""One module a use case: observe, plan, perform, check, record."""
