//! Backups, the state of the books, and the faults.

use serde_json::{Value, json};

use super::call::Call;
use super::route::Route;
use crate::platform::Work;
use crate::reply::{Failure, Reply};
use crate::{database, faults};

type Answer = Result<Reply, Failure>;

pub(super) const ROUTES: &[Route] = &[
    Route::get("/api/database", "Row counts, checksums and problems of the books", report),
    Route::get("/api/backups", "Backups, newest first, each verified", backups),
    Route::post("/api/backups", "Make a backup", back_up),
    Route::get("/api/sandbox/fault", "All faults and whether each is present", list),
    Route::post("/api/sandbox/fault/{name}", "Break the platform in this way", inject),
    Route::delete("/api/sandbox/fault/{name}", "Take a fault away without the procedure that should", mend),
];

fn report(work: &Work<'_>, _: &Call) -> Answer {
    let report = database::inspect(&work.platform.folder.business());
    Ok(Reply::ok(json!({"whole": report.is_whole(), "tables": report.tables, "problems": report.problems})))
}

fn backups(work: &Work<'_>, _: &Call) -> Answer {
    let found = database::backups(work.platform.folder.root())?;
    Ok(Reply::ok(found.iter().map(|backup| json!(backup)).collect::<Vec<Value>>()))
}

fn back_up(work: &Work<'_>, _: &Call) -> Answer {
    let (path, manifest) = database::create_backup(work.platform.folder.root())?;
    Ok(Reply::created(json!({"path": path, "manifest": manifest})))
}

fn list(work: &Work<'_>, _: &Call) -> Answer {
    Ok(Reply::ok(faults::list(work)?))
}

fn inject(work: &Work<'_>, call: &Call) -> Answer {
    faults::inject(work, call.path("name"))?;
    Ok(Reply::ok(faults::list(work)?))
}

fn mend(work: &Work<'_>, call: &Call) -> Answer {
    faults::mend(work, call.path("name"))?;
    Ok(Reply::ok(faults::list(work)?))
}
