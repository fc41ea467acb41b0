//! `custodia import`: files and progress around the import of `process`.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use custodia_org::Organization;
use custodia_process::import::{Advance, Import, Options, Source};
use custodia_store::Clock;

use crate::held_file::{HeldFile, beside};
use crate::new_file;
use crate::operation::{Output, caller};
use crate::service::Service;

/// How often progress is told, in milliseconds.
const PROGRESS_MS: u64 = 500;
/// What stands beside a file while an import of it is at work, behind its name.
const LOCK: &str = ".import-lock";

/// Imports the files and tells the counts.
///
/// # Errors
/// A mapping or a file that cannot be used; nothing is written then.
pub async fn run(
    service: &Service,
    organization: &Organization,
    user: Option<&str>,
    map: &Path,
    files: &[PathBuf],
    output: &mut dyn Output,
) -> Result<()> {
    for file in files.iter().map(PathBuf::as_path).chain([map]) {
        require_regular(file)?;
    }
    if let Some(twice) = named_twice(files) {
        bail!("{} is named twice: name each file once", twice.display());
    }
    let text = std::fs::read_to_string(map).with_context(|| format!("the mapping file {}", map.display()))?;
    let import = Import::load(&organization.schema(), &text, &map.display().to_string())?;
    let caller = caller(service, organization, user, "import").await?;
    let _held = files.iter().map(|file| hold(file)).collect::<Result<Vec<_>>>()?;
    let sources = files.iter().map(|file| Source::file(file)).collect();
    let mut told = 0;
    let mut progress = |advance: &Advance<'_>| {
        let now = service.clock.monotonic_ms();
        if now.saturating_sub(told) >= PROGRESS_MS || advance.rows_done == advance.rows_total {
            told = now;
            output.progress(&format!("{}: {} of {} rows", advance.file, advance.rows_done, advance.rows_total));
        }
    };
    let report = import.run(organization, &caller, sources, &Options::default(), &mut progress).await?;
    for file in &report.files {
        let counts = &file.counts;
        output.line(&format!(
            "{}: read {}, created {}, updated {}, unchanged {}, skipped {}, failed {}, incomplete {}",
            file.name,
            counts.read,
            counts.created,
            counts.updated,
            counts.unchanged,
            counts.skipped,
            counts.failed,
            counts.incomplete
        ));
        for sample in &file.samples {
            output.line(&format!("  line {}: {}", sample.line, sample.reason));
        }
        if let Some(errors) = &file.errors {
            output.line(&format!("  refused rows stand in {}", errors.display()));
        }
    }
    let counts = report.counts();
    if counts.failed > 0 || counts.incomplete > 0 {
        output.refused_rows();
    }
    Ok(())
}

/// Refuses what is no file of its own: opening a pipe waits for whoever writes into it, and an import reads its files twice.
fn require_regular(path: &Path) -> Result<()> {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            bail!("{} is no regular file: name a file, and one that holds what a pipe would bring", path.display())
        }
        // What else is wrong is told when it is opened.
        _ => Ok(()),
    }
}

/// A file that is named once more.
fn named_twice(files: &[PathBuf]) -> Option<&Path> {
    let again = |(at, file): (usize, &PathBuf)| files.iter().take(at).any(|earlier| new_file::is_same(earlier, file));
    files.iter().enumerate().find(|named| again(*named)).map(|(_, file)| file.as_path())
}

/// Keeps other imports away from a file: how far one is stands beside it, and two would each go by the other's. The file itself
/// is open for reading alone, and NFS locks nothing for whoever cannot write.
fn hold(path: &Path) -> Result<HeldFile> {
    // A fault in its name is told of the file, not of what would stand beside it.
    File::open(path).with_context(|| format!("the file {}", path.display()))?;
    let lock = beside(path, LOCK);
    match HeldFile::take(&lock).with_context(|| format!("{} cannot be locked", lock.display()))? {
        Some(held) => Ok(held),
        None => bail!("an import of {} is at work already: wait until it ends", path.display()),
    }
}
