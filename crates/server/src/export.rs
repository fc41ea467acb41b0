//! `custodia export`: files, the audit and the count around the export of `process`.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use custodia_org::{Caller, Organization};
use custodia_process::export::{Destination, Export, Exported, Style};
use custodia_store::Clock;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::new_file::{self, NewFile};
use crate::operation::{Output, caller};
use crate::service::Service;

/// How often progress is told, in milliseconds.
const PROGRESS_MS: u64 = 2_000;
/// What to export, and where to.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Request {
    /// Logical name of the table.
    pub table: String,
    /// The user with whose rights records are read; the platform if not given.
    pub user: Option<String>,
    /// Logical names of columns; all if there are none.
    pub columns: Vec<String>,
    /// A file with a FetchXML query whose conditions hold for the records.
    pub filter: Option<PathBuf>,
    /// Options by their labels.
    pub labels: bool,
    /// Texts as they are.
    pub raw: bool,
    /// A file to make, with the mapping that brings the export back.
    pub mapping: Option<PathBuf>,
    /// The file to make; the output of the command if not given.
    pub to: Option<PathBuf>,
}

/// Exports records and tells how many.
///
/// # Errors
/// What cannot be exported, or written; there is no file of that name then.
pub async fn run(
    service: &Service,
    organization: &Organization,
    request: &Request,
    output: &mut dyn Output,
) -> Result<()> {
    let caller = caller(service, organization, request.user.as_deref(), "export").await?;
    let style = Style { labels: request.labels, raw: request.raw };
    let mut export = Export::of(&organization.schema(), &request.table, &request.columns, style)?;
    let filter = match &request.filter {
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("the filter {}", path.display()))?;
            let asker = organization.asker(&caller, custodia_web_api::clock).await?;
            export = export.filtered(&text, &asker)?;
            Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
        }
        None => None,
    };
    let what = match &filter {
        Some(filter) => format!("export of {} where {filter}", request.table),
        None => format!("export of {}", request.table),
    };
    if let (Some(mapping), Some(to)) = (&request.mapping, &request.to)
        && new_file::is_same(mapping, to)
    {
        bail!("--to and --mapping name one file, {}: name another for the mapping", to.display());
    }
    let mapping = request.mapping.as_deref().map(NewFile::begin).transpose()?;
    // Told before anything is read: what was begun and broken off has shown records, too.
    organization.audit_export(&caller, export.table().id, &format!("{what}: begun")).await?;
    let exported = match &request.to {
        Some(path) => to_file(service, organization, &caller, &export, path, output).await?,
        None => export.run(organization, &caller, &mut ToOutput { output }).await?,
    };
    organization.audit_export(&caller, export.table().id, &format!("{what}: {} rows", exported.rows)).await?;
    if let Some(mut mapping) = mapping {
        mapping.write(export.mapping().as_bytes()).context("the mapping")?;
        mapping.finish().context("the mapping")?;
    }
    match exported.changes_meanwhile {
        Some(0) => {}
        Some(changes) => output.progress(&format!(
            "{changes} changes were made in {} meanwhile: the rows are not all of one moment",
            request.table
        )),
        None => output.progress("whether anything changed meanwhile cannot be told"),
    }
    output.progress(&format!("exported {} rows, {} bytes", exported.rows, exported.bytes));
    Ok(())
}

/// Writes the file.
async fn to_file(
    service: &Service,
    organization: &Organization,
    caller: &Caller,
    export: &Export,
    path: &Path,
    output: &mut dyn Output,
) -> Result<Exported> {
    let file = NewFile::begin(path)?;
    let mut destination = ToFile { file, service, output, told: service.clock.monotonic_ms() };
    let exported = export.run(organization, caller, &mut destination).await?;
    destination.file.finish()?;
    Ok(exported)
}

struct ToFile<'o> {
    file: NewFile,
    service: &'o Service,
    output: &'o mut dyn Output,
    told: u64,
}

impl Destination for ToFile<'_> {
    fn take<'d>(&'d mut self, bytes: Vec<u8>, rows: u64) -> BoxFuture<'d, io::Result<()>> {
        Box::pin(async move {
            self.file.write(&bytes)?;
            let now = self.service.clock.monotonic_ms();
            if now.saturating_sub(self.told) >= PROGRESS_MS {
                self.told = now;
                self.output.progress(&format!("{rows} rows"));
            }
            Ok(())
        })
    }
}

struct ToOutput<'o> {
    output: &'o mut dyn Output,
}

impl Destination for ToOutput<'_> {
    fn take<'d>(&'d mut self, bytes: Vec<u8>, _: u64) -> BoxFuture<'d, io::Result<()>> {
        match String::from_utf8(bytes) {
            Ok(text) => self.output.data(text),
            Err(error) => Box::pin(async move { Err(io::Error::other(error)) }),
        }
    }
}
