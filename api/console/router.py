"""The console as one router: what `api.app` mounts."""

from fastapi import APIRouter

from api.console import actions, allocations, pages, planning

router = APIRouter(include_in_schema=False)
router.include_router(pages.router)
router.include_router(allocations.router)
router.include_router(actions.router)
router.include_router(planning.router)
