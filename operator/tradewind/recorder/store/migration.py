"""Numbered migrations of the schema, forward only: each one is applied once, in a transaction of its own."""

from importlib.resources import files

from tradewind.recorder.store.database import Database, StoreError

FOLDER = files("tradewind.recorder.store") / "migrations"


def scripts() -> dict[int, str]:
    """The scripts by number, in order."""
    return {int(file.name[:4]): file.read_text() for file in sorted(FOLDER.iterdir(), key=lambda file: file.name)}


def migrate(database: Database, up_to: int | None = None) -> int:
    """Brings the schema to the newest version, or to `up_to`, and returns it. Raises StoreError for a schema that a newer Tradewind
    made."""
    known = scripts()
    with database.writing() as cursor:
        database.lock(cursor)
        cursor.execute("create table if not exists schema_version (version integer not null)")
        cursor.execute("select coalesce(max(version), 0) from schema_version")
        version = int(cursor.fetchone()[0])
    if version > max(known):
        words = f"the store has the schema {version}, and this Tradewind knows {max(known)} at most"
        raise StoreError(f"{words}: use the version that wrote it, or a newer one")
    for number, script in known.items():
        if version < number <= (up_to or number):
            with database.writing() as cursor:
                database.lock(cursor)
                cursor.execute("select coalesce(max(version), 0) from schema_version")
                if int(cursor.fetchone()[0]) < number:  # Otherwise another process was faster.
                    for statement in statements(script, database):
                        cursor.execute(statement)
                    cursor.execute(database.sql("insert into schema_version (version) values (?)"), (number,))
            version = number
    return version


def statements(script: str, database: Database) -> list[str]:
    """The statements of a script, without comments, in the database's words."""
    lines = [line for line in script.splitlines() if not line.startswith("--")]
    text = "\n".join(lines)
    for word, meaning in database.words.items():
        text = text.replace(f"{{{word}}}", meaning)
    return [part.strip() for part in text.split(";") if part.strip()]
