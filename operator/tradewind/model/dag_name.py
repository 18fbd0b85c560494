"""Names of DAGs, as runs give them. A local DAG's begins with that of the DAG whose manifest holds it: `sales.region`."""


def home(dag: str) -> str:
    """The DAG whose manifest holds a DAG: itself, unless it is local."""
    return dag.partition(".")[0]


def local(dag: str) -> str:
    """The name of a local DAG in its manifest; empty for any other DAG."""
    return dag.partition(".")[2]
