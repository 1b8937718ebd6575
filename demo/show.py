"""What the demo shows at the end: the list, the partial schedule in full, the rows, and how to go on."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from demo.stage import Stage


def everything(stage: Stage, console: Console) -> None:
    for arguments in (("get", "gscsyncs", "-o", "wide"), ("describe", "gscsync", "partial")):
        console.print(
            f"\n[bold]$ kubectl -n {stage.kubectl.namespace} {' '.join(arguments)}[/]", highlight=False
        )
        console.print(stage.kubectl.run(*arguments).rstrip(), highlight=False, markup=False)
    console.print("\n[bold]rows in Postgres, per property and day[/]", highlight=False)
    for (name, kind), group in groupby(stage.rows(), key=lambda row: (row["property"], row["searchType"])):
        days = list(group)
        total = sum(day["rows"] for day in days)
        console.print(f"{name} ({kind}): {total} rows", highlight=False, markup=False)
        console.print(
            "   " + "".join(f" {day['day'][5:]}: {day['rows']}" for day in days),
            highlight=False,
            markup=False,
        )


def explore(stage: Stage, console: Console) -> None:
    kubectl = stage.kubectl
    where = (
        f"export KUBECONFIG={kubectl.kubeconfig} PATH={kubectl.kubectl.parent}:$PATH"
        if kubectl.kubeconfig
        else f"kubectl config use-context {kubectl.context}"
    )
    console.print(
        f"""
To explore:
  {where}
  kubectl -n {kubectl.namespace} get gscsyncs -w
  kubectl -n {kubectl.namespace} annotate --overwrite gscsync healthy gscsync.io/run-now="$(date +%s)"
  kubectl -n {kubectl.namespace} logs -l gscsync.io/schedule=healthy --tail=20
  kubectl -n {kubectl.namespace} exec deployment/warehouse -- python -m demo.rows
To take it away: make demo-down{f" CONTEXT={kubectl.context}" if kubectl.context else ""}""",
        highlight=False,
        markup=False,
    )
