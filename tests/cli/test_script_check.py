"""Scripts are checked by the compiler, even those that would make it explode."""

import subprocess
import sys

import pytest
from tradewind.cli.manifests.script_check import FEW, python_fault

MEMORY = 1_500 * 2**20
CHILD = """\
import resource, sys
from tradewind.cli.manifests.script_check import python_fault
resource.setrlimit(resource.RLIMIT_AS, ({memory}, {memory}))
print(python_fault(sys.stdin.read()))
"""


def nested(levels: int, last: str = "pass") -> str:
    """Each level has another way out, so a compiler emits the body of its `finally` twice."""
    lines = ["def f():"]
    for level in range(levels):
        indent = " " * (level + 1)
        lines += [f"{indent}try:", f"{indent} return", f"{indent}finally:"]
    return "\n".join([*lines, " " * (levels + 2) + last, ""])


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_nested_finally_takes_little_memory() -> None:
    child = [sys.executable, "-c", CHILD.format(memory=MEMORY)]
    done = subprocess.run(child, input=nested(18), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "None\n"), done.stderr


@pytest.mark.parametrize(
    ("last", "words"),
    [
        ("break", "'break' outside loop"),
        ("return 1\n1 +", "invalid syntax"),
        ("x = 1; global x", "name 'x' is assigned to before global declaration"),
        ("await x", "'await' outside async function"),
        ("f(a=1, a=2)", "keyword argument repeated: a"),
    ],
)
@pytest.mark.parametrize("levels", [1, FEW + 4])
def test_the_same_is_wrong_inside_of_many(levels: int, last: str, words: str) -> None:
    found = python_fault(nested(levels, last))
    assert found and words in found.what and found.line == 3 * levels + 2 + last.count("\n")


@pytest.mark.parametrize(
    "text",
    [
        "for x in y:\n try:\n  break\n except A:\n  continue\n else:\n  pass\n finally:\n  try:\n   a\n  finally:\n   b\n"
        * 3,
        "try:\n a\nexcept* A:\n b\nfinally:\n c\n" * 6,
        "async def f():\n try:\n  await x\n finally:\n  await y\n" * 6,
        "match x:\n case 1:\n  try:\n   a\n  finally:\n   b\n" * 6,
    ],
)
def test_programs_with_many_are_programs(text: str) -> None:
    assert text.count("finally") > FEW and python_fault(text) is None
    assert python_fault(text + "return\n")
