"""An import-linter contract: the source modules import the standard library and a short list."""

import sys

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.domain.helpers import module_expressions_to_modules


class OnlyImportsContract(Contract):
    """Breaks when a source module (or one below it) imports anything that isn't allowed.

    Options:
        source_modules: module expressions; each stands for its whole package.
        allowed_modules: modules that may be imported besides the standard library and the
            source package itself.
    """

    type_name = "only"

    source_modules = fields.SetField(subfield=fields.ModuleExpressionField())
    allowed_modules = fields.SetField(subfield=fields.ModuleField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """The imports that leave the allowed set, each as (importer, imported)."""
        sources = sorted(
            module.name
            for module in module_expressions_to_modules(graph, self.source_modules)  # type: ignore[arg-type]
        )
        allowed = {module.name for module in self.allowed_modules}  # type: ignore[attr-defined]
        strays: list[tuple[str, str]] = []
        for source in sources:
            output.verbose_print(verbose, f"Checking {source}.")
            strays += _strays(graph, source, allowed | {source})
        return ContractCheck(kept=not strays, metadata={"strays": strays})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """One line for each import that has to go."""
        for importer, imported in check.metadata["strays"]:
            output.print_error(f"- {importer} imports {imported}", bold=False)


def _strays(graph: ImportGraph, source: str, allowed: set[str]) -> list[tuple[str, str]]:
    members = {source} | graph.find_descendants(source)
    return [
        (importer, imported)
        for importer in sorted(members)
        for imported in sorted(graph.find_modules_directly_imported_by(importer))
        if not _is_allowed(imported, allowed)
    ]


def _is_allowed(imported: str, allowed: set[str]) -> bool:
    if imported.split(".", maxsplit=1)[0] in sys.stdlib_module_names:
        return True
    return any(imported == name or imported.startswith(f"{name}.") for name in allowed)
