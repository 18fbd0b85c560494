"""Places in documents: a field of a template also has a place in the document that uses the template."""

from dataclasses import dataclass

from tradewind.plan.documents.problem import Problem


@dataclass(frozen=True, slots=True)
class Place:
    """A field path. Of a template, its kind and name too, and the place where it is used."""

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
        """A problem here, for the one who wrote the document where it all begins."""
        place, templates = self, []
        while place.user is not None:
            templates.append(f"{place.document}, {place.path}")
            place = place.user
        return Problem(place.path, what, instead, ", used by ".join(templates))
