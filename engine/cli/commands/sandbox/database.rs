//! `runbook sandbox db`: dumps, backups and restores of the platform's books.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use runbook_runtime::exit_code::ExitCode;
use runbook_sandbox::database::{self, Backup, Manifest, Report};
use serde_json::json;

use super::{Data, Shown};
use crate::context::Context;
use crate::failure::Failure;

/// Dumps, verifies, restores and checks the database of the platform, served or not
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  runbook sandbox db dump --data /tmp/platform --to before.db\n  \
    file=$(runbook sandbox db newest --data /tmp/platform)\n  \
    runbook sandbox db restore \"$file\" --data /tmp/platform\n  \
    runbook sandbox db compare \"$file\" --data /tmp/platform")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Copies the books into a file, with a manifest beside it; a damaged database is copied as it is
    #[command(after_help = "Example:\n  runbook sandbox db dump --data /tmp/platform --to before.db")]
    Dump {
        #[command(flatten)]
        platform: Data,
        /// The file, which must not exist; a new one among the backups where none is named
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        /// What is printed
        #[arg(long, value_enum, default_value = "text")]
        output: Shown,
    },
    /// Lists the backups, newest first, each verified
    #[command(after_help = "Example:\n  runbook sandbox db backups --data /tmp/platform")]
    Backups {
        #[command(flatten)]
        platform: Data,
        /// What is printed
        #[arg(long, value_enum, default_value = "text")]
        output: Shown,
    },
    /// Prints the path of the newest backup that is whole and matches its manifest
    #[command(after_help = "Example:\n  runbook sandbox db newest --data /tmp/platform")]
    Newest {
        #[command(flatten)]
        platform: Data,
        /// What is printed
        #[arg(long, value_enum, default_value = "text")]
        output: Shown,
    },
    /// Holds a dump against its manifest: size, checksum, contents
    #[command(after_help = "Example:\n  runbook sandbox db verify before.db")]
    Verify {
        /// The dump
        file: PathBuf,
        /// What is printed
        #[arg(long, value_enum, default_value = "text")]
        output: Shown,
    },
    /// Replaces the books by a dump, which is verified before anything is touched
    #[command(after_help = "Example:\n  runbook sandbox db restore before.db --data /tmp/platform")]
    Restore {
        /// The dump
        file: PathBuf,
        #[command(flatten)]
        platform: Data,
        /// Takes the dump of a damaged database too: a safety dump is put back as it was
        #[arg(long)]
        allow_damaged: bool,
    },
    /// Restores a dump into a folder of its own, and compares it with its manifest: a drill that touches no platform
    #[command(after_help = "Example:\n  runbook sandbox db restore-beside before.db --to /tmp/drill")]
    RestoreBeside {
        /// The dump
        file: PathBuf,
        /// The folder, which must not be that of a platform
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Checks that the books are whole: integrity, tables, balances
    #[command(after_help = "Example:\n  runbook sandbox db check --data /tmp/platform")]
    Check {
        #[command(flatten)]
        platform: Data,
        /// What is printed
        #[arg(long, value_enum, default_value = "text")]
        output: Shown,
    },
    /// Compares the books with the manifest of a dump: rows and checksum of every table
    #[command(after_help = "Example:\n  runbook sandbox db compare before.db --data /tmp/platform")]
    Compare {
        /// The dump
        file: PathBuf,
        #[command(flatten)]
        platform: Data,
        /// What is printed
        #[arg(long, value_enum, default_value = "text")]
        output: Shown,
    },
}

pub(super) fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    match args.command {
        Command::Dump { platform, to, output } => dump(&platform.folder(context)?, to, output),
        Command::Backups { platform, output } => backups(&platform.folder(context)?, output),
        Command::Newest { platform, output } => newest(&platform.folder(context)?, output),
        Command::Verify { file, output } => verify(&file, output),
        Command::Restore { file, platform, allow_damaged } => {
            let manifest = database::restore(&file, &platform.folder(context)?, allow_damaged)?;
            show_manifest(&file, &manifest);
            Ok(ExitCode::Succeeded)
        }
        Command::RestoreBeside { file, to } => {
            database::restore_beside(&file, &to)?;
            compare(&file, &to, Shown::Text)
        }
        Command::Check { platform, output } => check(&platform.folder(context)?, output),
        Command::Compare { file, platform, output } => compare(&file, &platform.folder(context)?, output),
    }
}

fn dump(data: &Path, to: Option<PathBuf>, output: Shown) -> Result<ExitCode, Failure> {
    let (file, manifest) = match to {
        Some(file) => {
            let manifest = database::dump(data, &file)?;
            (file, manifest)
        }
        None => database::create_backup(data)?,
    };
    match output {
        Shown::Json => crate::output::json(&json!({"path": file, "manifest": manifest})),
        Shown::Text => show_manifest(&file, &manifest),
    }
    Ok(ExitCode::Succeeded)
}

fn backups(data: &Path, output: Shown) -> Result<ExitCode, Failure> {
    let found = database::backups(data)?;
    match output {
        Shown::Json => crate::output::json(&found),
        Shown::Text => found.iter().for_each(|backup| crate::output::line(describe(backup))),
    }
    Ok(ExitCode::Succeeded)
}

fn newest(data: &Path, output: Shown) -> Result<ExitCode, Failure> {
    let mut skipped = vec![];
    for backup in database::backups(data)? {
        if !backup.good {
            skipped.push(describe(&backup));
            continue;
        }
        match output {
            Shown::Json => {
                crate::output::json(&json!({
                    "path": backup.path,
                    "age": backup.manifest.as_ref().map(|manifest| age(&manifest.created_at)),
                    "manifest": backup.manifest,
                    "skipped": skipped,
                }));
            }
            Shown::Text => {
                // What is passed over is told, but is no part of the answer.
                skipped.iter().for_each(|one| crate::output::note(format!("skipped {one}")));
                crate::output::line(backup.path.display().to_string());
            }
        }
        return Ok(ExitCode::Succeeded);
    }
    skipped.iter().for_each(|one| crate::output::note(format!("skipped {one}")));
    Err(runbook_sandbox::Error::NoBackup(data.to_owned()).into())
}

fn verify(file: &Path, output: Shown) -> Result<ExitCode, Failure> {
    let manifest = database::verify(file)?;
    match output {
        Shown::Json => {
            let age = age(&manifest.created_at);
            crate::output::json(&json!({"path": file, "age": age, "manifest": manifest}));
        }
        Shown::Text => show_manifest(file, &manifest),
    }
    Ok(ExitCode::Succeeded)
}

fn check(data: &Path, output: Shown) -> Result<ExitCode, Failure> {
    let report = match database::check(data) {
        Ok(report) => report,
        // Nobody who asks for JSON should have to read an error for the answer.
        Err(runbook_sandbox::Error::Damaged(problems)) if output == Shown::Json => {
            Report { problems, ..Report::default() }
        }
        Err(error) => return Err(error.into()),
    };
    match output {
        Shown::Json => crate::output::json(&json!({"whole": report.is_whole(), "report": report})),
        Shown::Text => {
            crate::output::line("the database is whole");
            show_tables(&report);
        }
    }
    Ok(if report.is_whole() { ExitCode::Succeeded } else { ExitCode::Failed })
}

fn compare(file: &Path, data: &Path, output: Shown) -> Result<ExitCode, Failure> {
    let manifest = database::verify(file)?;
    let report = database::inspect_folder(data);
    let comparison = database::compare(&manifest, &report);
    match output {
        Shown::Json => crate::output::json(&json!({"file": file, "comparison": comparison, "report": report})),
        Shown::Text if comparison.equal => {
            crate::output::line(format!("equal to {}: every table, row and checksum", file.display()));
            show_tables(&report);
        }
        Shown::Text => comparison.differences.iter().for_each(crate::output::line),
    }
    Ok(if comparison.equal { ExitCode::Succeeded } else { ExitCode::Failed })
}

/// How old a dump is, for somebody who decides whether so much may be lost: `2 h`, `26 h`, `3 days`.
fn age(created_at: &str) -> String {
    let Ok(created) = created_at.parse::<jiff::Timestamp>() else {
        return "of unknown age".to_owned();
    };
    let minutes = jiff::Timestamp::now().duration_since(created).as_mins();
    match minutes {
        ..1 => "less than a minute".to_owned(),
        1..120 => format!("{minutes} min"),
        120..2880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    }
}

fn describe(backup: &Backup) -> String {
    let verdict = match (&backup.problem, &backup.manifest) {
        (Some(problem), _) => format!("BAD: {problem}"),
        (None, Some(manifest)) => format!("good, made {}", manifest.created_at),
        (None, None) => "good".to_owned(),
    };
    format!("{}  {verdict}", backup.name)
}

fn show_manifest(file: &Path, manifest: &Manifest) {
    crate::output::line(file.display().to_string());
    crate::output::line(format!(
        "made {}, {} bytes, sha256 {}",
        manifest.created_at, manifest.size_bytes, manifest.sha256
    ));
    show_tables(&manifest.contents);
    for problem in &manifest.contents.problems {
        crate::output::line(format!("problem: {problem}"));
    }
}

fn show_tables(report: &Report) {
    for (name, table) in &report.tables {
        crate::output::line(format!(
            "{name:10} {:6} rows  {}",
            table.rows,
            &table.sha256[..table.sha256.len().min(16)]
        ));
    }
}
