"""Who may call what: the callers' names, as their certificates say, by RPC."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

_PROGRAMMES: Final = "/huitouke.points.v1.ProgrammeService"
_REPORTS: Final = "/huitouke.points.v1.ReportService"
_MOVEMENTS: Final = "/huitouke.points.v1.MovementService"
_SERVICE: Final = "/huitouke.points.v1.PointsService"
_IMPORTS: Final = "/huitouke.points.v1.ImportService"
ALLOW: Final[Mapping[str, Collection[str]]] = {
    f"{_SERVICE}/Quote": {"gateway", "operator"},
    f"{_SERVICE}/Post": {"gateway", "operator"},
    f"{_SERVICE}/BatchPost": {"gateway", "operator"},
    f"{_SERVICE}/CancelPost": {"gateway", "operator"},
    f"{_SERVICE}/Reverse": {"gateway", "operator"},
    f"{_SERVICE}/BatchReverse": {"gateway", "operator"},
    f"{_SERVICE}/UndoPost": {"gateway"},
    f"{_SERVICE}/TopUp": {"gateway", "operator"},
    f"{_SERVICE}/BatchTopUp": {"gateway", "operator"},
    f"{_SERVICE}/AuthorizeHold": {"gateway", "operator"},
    f"{_SERVICE}/BatchAuthorizeHold": {"gateway", "operator"},
    f"{_SERVICE}/CaptureHold": {"gateway", "operator"},
    f"{_SERVICE}/BatchCaptureHold": {"gateway", "operator"},
    f"{_SERVICE}/ReleaseHold": {"gateway", "operator"},
    f"{_SERVICE}/BatchReleaseHold": {"gateway", "operator"},
    f"{_SERVICE}/GetHold": {"gateway", "operator"},
    f"{_SERVICE}/ListOpenHolds": {"gateway", "operator"},
    f"{_SERVICE}/GetBalances": {"gateway", "operator", "notify"},
    f"{_SERVICE}/ListEntries": {"gateway", "operator"},
    f"{_SERVICE}/PublishProgramme": {"operator"},
    f"{_SERVICE}/GetProgramme": {"gateway", "operator"},
    f"{_SERVICE}/VerifyBooks": {"operator"},
    f"{_PROGRAMMES}/CreateProgrammeDraft": {"operator"},
    f"{_PROGRAMMES}/UpdateProgrammeDraft": {"operator"},
    f"{_PROGRAMMES}/DiscardProgrammeDraft": {"operator"},
    f"{_PROGRAMMES}/GetProgrammeDraft": {"operator"},
    f"{_PROGRAMMES}/ActivateProgramme": {"operator"},
    f"{_PROGRAMMES}/RetireProgramme": {"operator"},
    f"{_PROGRAMMES}/ListProgrammes": {"operator"},
    f"{_PROGRAMMES}/DryRunProgramme": {"operator"},
    f"{_REPORTS}/GetLiabilityReport": {"operator"},
    f"{_REPORTS}/GetTrialBalance": {"operator"},
    f"{_REPORTS}/ExportStatement": {"gateway", "operator"},
    f"{_MOVEMENTS}/PutTransferGroup": {"gateway", "operator"},
    f"{_MOVEMENTS}/GetTransferGroup": {"gateway", "operator"},
    f"{_MOVEMENTS}/TransferPoints": {"gateway", "operator"},
    f"{_MOVEMENTS}/AdjustBalance": {"operator"},
    f"{_MOVEMENTS}/ApproveAdjustment": {"operator"},
    f"{_MOVEMENTS}/RejectAdjustment": {"operator"},
    f"{_MOVEMENTS}/ListAdjustments": {"operator"},
    f"{_MOVEMENTS}/QuoteWithdrawal": {"gateway", "operator"},
    f"{_MOVEMENTS}/WithdrawStoredValue": {"gateway", "operator"},
    f"{_MOVEMENTS}/RefundTopUp": {"gateway", "operator"},
    f"{_IMPORTS}/ImportOpeningBalances": {"operator"},
    f"{_IMPORTS}/GetImport": {"operator"},
    f"{_IMPORTS}/ListRejectedRows": {"operator"},
}
