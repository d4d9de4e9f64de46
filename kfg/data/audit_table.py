"""Show a kfg.data.audit.Audit on the screen, or write it as JSON."""

import collections

from kfg import tables
from kfg.data import checks, corrected
from kfg.data.labels import Labels
from kfg.data.remarks import remark
from kfg.names import counted, printable, quoted, utf8

LEVELS = ("error", "warning", "note")
EXAMPLES = 3  # findings of each kind shown in the table; the JSON has all
CLASS_LINES = 24  # with more classes the table shows the largest and the smallest


def as_json(result) -> dict:
    """Return the audit as JSON values: images, classes, findings (dicts of kind, severity, path, detail), and more.

    `imbalance_ratio` is the number of images of the largest class over that of the smallest.
    """
    return {
        "images": result.images,
        "classes": {utf8(name): count for name, count in result.classes.items()},
        "imbalance_ratio": checks.imbalance(result.classes),
        **({"corrections": result.corrected.as_json()} if result.corrected else {}),
        "findings": [
            {"kind": one.kind, "severity": one.severity, "path": utf8(one.path), "detail": utf8(one.detail)}
            for one in result.findings
        ],
    }


def findings_table(result, *, labels: Labels | None = None) -> str:
    """Return the audit as text for the screen: classes, then each kind of finding with its count and examples.

    Args:
        result: the Audit.
        labels: the table that gave the classes, as for `audit`.
    """
    where = f"in {len(result.classes)} classes" if result.classes else "and no classes"
    lines = [f"{printable(str(result.root))}: {result.images:,} images {where}"]
    lines += [*filter(None, [corrected.said(result.corrected)]), ""]
    lines += _class_lines(result.classes) if result.classes else []
    by_kind = collections.defaultdict(list)
    for finding in result.findings:
        by_kind[finding.severity, finding.kind].append(finding)
    rows = []
    for (severity, kind), found in by_kind.items():
        examples = [printable(f"{one.path}: {one.detail}") for one in found[:EXAMPLES]]
        if len(found) > EXAMPLES:
            examples.append(f"and {len(found) - EXAMPLES:,} more")
        rows += [(kind, severity, f"{len(found):,}", examples[0]), *(("", "", "", one) for one in examples[1:])]
    if rows:
        lines += ["", tables.text(("finding", "severity", ">count", "examples"), rows)]
    if passed_over := remark(result.passed_over):  # counted by kind, because the examples above may all be of one kind
        lines += ["", passed_over]
    totals = collections.Counter(finding.severity for finding in result.findings)
    lines += ["", ", ".join(counted(totals[level], level) for level in LEVELS)]
    if totals["error"]:
        lines += ["", "kfg trains on these photographs only after the errors are repaired."]
        if labels is None and checks.reviewable(result.findings):
            kinds = {finding.kind for finding in result.findings if finding.severity == "error"}
            named = ", ".join(sorted(kinds & checks.ONE_PHOTOGRAPH))
            lines[-1] += (
                f" `kfg review {quoted(result.root)}` shows the photographs of these: {named}. You can leave each out "
                "or give it another class; no file is changed."
            )
    return "\n".join(lines)


def _class_lines(classes):
    ordered = sorted(classes.items(), key=lambda item: (-item[1], item[0]))
    half = CLASS_LINES // 2
    rows = [(printable(name), f"{count:,}") for name, count in ordered]
    if len(rows) > CLASS_LINES:
        rows = [*rows[:half], (f"... {len(rows) - 2 * half} classes between", ""), *rows[-half:]]
    return [
        tables.text(("class", ">images"), rows),
        f"imbalance ratio {checks.imbalance(classes):.1f} (largest class to smallest class)",
    ]
