"""The one error that a person is shown as a sentence; everything else is a defect and keeps its traceback."""


class DevclusterError(RuntimeError):
    """Says in one sentence what is wrong and what can be done."""


OWN_CLUSTER = "use a cluster of your own: make demo CONTEXT=name REGISTRY=host/path"
