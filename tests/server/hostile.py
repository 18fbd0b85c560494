"""Text that an author of DAGs writes against users of the page."""

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>"
ANSI = "\x1b[31mred\x1b[0m \x1b]8;;javascript:alert(1)\x07link\x1b]8;;\x07"
BIDI = "safe\u202ecod.exe\u2066\u200b"
NUL = "a\x00b"
LONG = "x" * 100_000
ALL = [SCRIPT, ANSI, BIDI, NUL, LONG, '"><svg onload=alert(1)>', "{{nonce}}", "]]>", "\u2028", "é" * 300]
