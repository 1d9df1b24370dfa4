"""`/v1/jobs`: how far background work is, and stopping it."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query

from api.bodies import Moment, View
from api.dependencies import ClockDep, SessionDep, allow
from api.pages import Page, PagingDep
from api.queue import store
from api.queue.records import JobRecord
from api.services.jobs import result_link

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

_Reader = Depends(allow("planner", "auditor"))
_Id = Annotated[str | None, Query(max_length=100)]


class JobView(View):
    """A job: `progress` goes from 0 to 1, `link` is where its result is shown."""

    id: str
    kind: str
    subject: str
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    progress: float
    doing: str
    attempts: int
    cancel_requested: bool
    result: dict[str, Any] | None
    link: str | None
    error: str
    created_at: Moment
    started_at: Moment | None
    ended_at: Moment | None


@router.get("", dependencies=[_Reader])
def list_jobs(
    session: SessionDep,
    paging: PagingDep,
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"] | None = None,
    kind: _Id = None,
    subject: _Id = None,
) -> Page[JobView]:
    """Returns jobs, newest first."""
    after = paging.after(str)
    rows = store.jobs(session, paging.asked, str(after[0]) if after else None, state, kind, subject)
    return paging.page(rows, key=lambda job: (job.id,), show=_view)


@router.get("/{job}", dependencies=[_Reader])
def read_job(job: str, session: SessionDep) -> JobView:
    """Returns a job as it is now."""
    return _view(store.job_of(session, job))


@router.delete("/{job}", status_code=202, dependencies=[Depends(allow("planner"))])
def cancel_job(job: str, session: SessionDep, clock: ClockDep) -> JobView:
    """Asks a job to stop and returns it; one that has ended stays as it ended."""
    return _view(store.cancel(session, job, clock))


def _view(job: JobRecord) -> JobView:
    return JobView.model_validate({**job.model_dump(), "link": result_link(job)})
