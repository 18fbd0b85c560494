"""Places in documents: a field of a template also has a place in the document that uses the template."""

from dataclasses import dataclass

from tradewind.plan.documents.problem import Problem


@dataclass(frozen=True, slots=True)
class Place:
    """A field path. For a template also its kind and name, and the place of its use."""

    path: str
    document: str = ""
    user: "Place | None" = None

    def at(self, rest: str) -> "Place":
        """A place further down: `name`, `.name` or `[0]`."""
        if not rest:
            return self
        dot = "" if rest[0] in ".[" else "."
        return Place(f"{self.path}{dot}{rest}", self.document, self.user)

    def problem(self, what: str, instead: str = "") -> Problem:
        """A problem here, for the author of the outermost document."""
        place, templates = self, []
        while place.user is not None:
            templates.append(f"{place.document}, {place.path}")
            place = place.user
        return Problem(place.path, what, instead, ", used by ".join(templates))
