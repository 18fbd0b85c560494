"""`make sbom`: images/sbom.cdx.json, what the operator's image is made of in CycloneDX, with versions, hashes and licences.

The tools that write one know either the hashes (of a list of requirements) or the licences (of what is installed); pip's own report has
both.
"""

import json
from typing import Any

import operator_layers
import wheels


def component(package: wheels.Package) -> dict[str, Any]:
    """One package. Its hashes are those of its wheels, each named."""
    address = f"pkg:pypi/{package.name.lower().replace('_', '-')}@{package.version}"
    found: dict[str, Any] = {"type": "library", "bom-ref": address, "name": package.name, "version": package.version}
    if package.licence:
        found["licenses"] = [{"license": {"name": package.licence}}]
    found["purl"] = address
    found["externalReferences"] = [
        {
            "type": "distribution",
            "url": f"https://pypi.org/project/{package.name}/{package.version}/#files",
            "comment": file,
            "hashes": [{"alg": "SHA-256", "content": digest}],
        }
        for file, digest in sorted(package.wheels.items())
    ]
    return found


def document(packages: list[wheels.Package]) -> dict[str, Any]:
    """The whole. Without a time or a serial number: the same packages make the same document."""
    project = operator_layers.project()["project"]
    root = f"pkg:pypi/{project['name']}@{project['version']}"
    components = [component(package) for package in packages]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": project["name"],
                "version": project["version"],
                "licenses": [{"license": {"id": project["license"]}}],
                "purl": root,
            }
        },
        "components": components,
        "dependencies": [{"ref": root, "dependsOn": [item["bom-ref"] for item in components]}],
    }


def main() -> None:
    """Writes the file."""
    operator_layers.SBOM.write_text(json.dumps(document(wheels.packages()), indent=1) + "\n")


if __name__ == "__main__":
    main()
