"""Errors of expressions."""


class ExpressionError(ValueError):
    """An expression that does not compile or can't be evaluated. `problem` says what is wrong, without the expression;
    `column` counts characters from 1."""

    def __init__(self, expression: str, problem: str, column: int | None = None) -> None:
        self.expression, self.problem, self.column = expression, problem, column
        where = f" (at character {column})" if column and column > 0 else ""
        shown = expression if len(expression) <= 120 else f"{expression[:117]}..."
        super().__init__(f"`{shown}`{where}: {problem}")
