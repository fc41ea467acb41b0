//! `custodia audit verify`, `export`, `prune` and `erase`: what they say, and the files they read and write.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, Result, bail};
use custodia_org::{Caller, Organization};
use custodia_store::{Fault, Published, Report, RestoreProof};

use crate::audit::timestamp;
use crate::audit_heads;
use crate::new_file::NewFile;
use crate::operation::Output;
use crate::service::Service;

/// Seconds of a day.
const DAY: i64 = 86_400;
/// The table of entries.
const AUDIT: &str = "audit";
/// What the entry says of entries that went because they were kept long enough.
const RETENTION: &str = "retention (auditretentionperiodv2)";

/// Verifies an organisation's audit and says what was found.
///
/// # Errors
/// When it is not whole, or cannot be read.
pub async fn verify(
    service: &Service,
    organization: &Organization,
    heads: Option<&Path>,
    output: &mut dyn Output,
) -> Result<()> {
    let own = service.audit_heads.file();
    let against = match heads {
        Some(file) => audit_heads::read(file, organization.id(), &mut |text| output.progress(text))?,
        None if own.exists() => {
            output.progress(&format!(
                "verifying against this machine's own {}; --heads names another copy",
                own.display()
            ));
            audit_heads::read(own, organization.id(), &mut |text| output.progress(text))?
        }
        None => audit_heads::none(&service.audit_heads.ring()),
    };
    let report = organization.verify_audit(against, &mut |text: &str| output.progress(text)).await?;
    tell(&report, organization.name(), &mut |line| output.line(line))
}

/// Verifies an export, without an installation.
///
/// # Errors
/// As [`verify`].
pub fn verify_file(export: &Path, heads: Option<&Path>) -> Result<()> {
    let file = File::open(export).with_context(|| format!("the export {}", export.display()))?;
    let mut fault = None;
    let report = custodia_store::verify_export(
        BufReader::new(file),
        |organization| match heads.map(|heads| audit_heads::read(heads, organization, &mut crate::tell)) {
            None => Published::default(),
            Some(Ok(published)) => published,
            Some(Err(error)) => {
                fault = Some(error);
                Published::default()
            }
        },
        &mut crate::tell,
    )?;
    match fault {
        Some(error) => Err(error),
        None => tell(&report, &export.display().to_string(), &mut crate::say),
    }
}

/// Says what a report holds; an error when something is wrong.
fn tell(report: &Report, name: &str, say: &mut dyn FnMut(&str)) -> Result<()> {
    if let Some(gap) = &report.gap {
        let facts = &gap.facts;
        let checked =
            if report.gap_checked { "" } else { " (its key is not known here: the signature was not checked)" };
        say(&format!(
            "entries up to {} were removed at {} by {}: {}{checked}",
            facts.through,
            timestamp(facts.time),
            facts.by,
            facts.why
        ));
    }
    if let Some((told, when)) = &report.sealed_then {
        say(&format!(
            "{} entries up to number {} were there before the audit was sealed at {}: what was changed until then cannot be found",
            told.entries,
            told.through,
            timestamp(*when)
        ));
    }
    for (restore, proof) in &report.restores {
        let who = match proof {
            RestoreProof::Signed => "",
            RestoreProof::Unsigned => " (not signed: an older program's, or only said)",
            RestoreProof::UnknownKey => " (its key is not known here: the signature was not checked)",
            RestoreProof::OtherOrganization => " (signed for another organisation, of which this is a copy)",
            RestoreProof::Forged => " (the signature does not fit)",
        };
        let lost = if restore.lost { ", in place of a database that could not be read" } else { "" };
        say(&format!(
            "restored to entry {} of a backup of {}{lost}: epoch {} began{who}",
            restore.after,
            timestamp(restore.taken),
            restore.epoch
        ));
    }
    for (head, restore) in &report.lost {
        say(&format!(
            "the head published at {} of epoch {}, entry {}, is not here: the restore to entry {} threw it away",
            timestamp(head.time),
            head.epoch,
            head.number,
            restore.after
        ));
    }
    if report.erased > 0 {
        say(&format!("{} entries had their values erased, and other entries tell of it", report.erased));
    }
    if let Some(fault) = &report.fault {
        let published = match fault {
            Fault::EndRemoved { published: Some(when), .. } | Fault::Rewritten { published: when, .. } => {
                format!(" (published at {})", timestamp(*when))
            }
            _ => String::new(),
        };
        say(&format!("broken at entry {}: {fault}{published}", fault.number()));
        bail!(
            "the audit of {name} is not as it was written, from entry {} on: keep the database as it is and compare it with a backup",
            fault.number()
        );
    }
    say(&format!("sealed head: entry {}, chain {}, epoch {}", report.last.number, report.last.chain, report.epoch));
    say(&format!("{} entries verified", report.entries));
    match &report.protected {
        Some(head) if head.number == report.last.number => {
            say(&format!("{} published heads fit, the last one is the sealed head", report.heads));
        }
        Some(head) => say(&format!(
            "{} published heads fit; entries {} to {} stand after the last one, of {}: they are not protected yet",
            report.heads,
            head.number + 1,
            report.last.number,
            timestamp(head.time)
        )),
        None => say("no published head was compared: the chain holds in itself, but could have been written anew"),
    }
    if report.behind_gap > 0 {
        say(&format!("{} published heads are of entries that were removed", report.behind_gap));
    }
    Ok(())
}

/// Writes an export to a new file, or with `None` to the output. The audit tells of it first: it has all values.
///
/// # Errors
/// When the file exists or cannot be written; store errors.
pub async fn export(
    service: &Service,
    organization: &Organization,
    to: Option<&Path>,
    output: &mut dyn Output,
) -> Result<()> {
    let mut file = to.map(NewFile::begin).transpose()?;
    let schema = organization.schema();
    let audit = schema.table_named(AUDIT).with_context(|| format!("there is no table '{AUDIT}'"))?;
    let caller = Caller::platform("custodia audit", service.new_id());
    organization.audit_export(&caller, audit.id, "export of the audit").await?;
    let mut export = organization.export_audit().await?;
    while let Some(lines) = export.next().await? {
        match &mut file {
            Some(file) => file.write(lines.as_bytes()).context("the export")?,
            None => output.data(lines).await?,
        }
    }
    if let (Some(file), Some(path)) = (file, to) {
        file.finish()?;
        output.progress(&format!("the audit of {} was written to {}", organization.name(), path.display()));
    }
    Ok(())
}

/// Removes entries written before a moment; how many numbers.
///
/// # Errors
/// A moment that is still to come; store errors: what was removed until then stays removed, and is told of.
pub async fn prune(
    service: &Service,
    organization: &Organization,
    before: i64,
    why: &str,
    progress: &mut (dyn FnMut(&str) + Send),
) -> Result<i64> {
    let entries_max = service.config.audit.prune_entries;
    let ring = service.audit_heads.ring();
    // It would take all there is, and what this itself adds: each removal is told of by an entry.
    if before > service.now() {
        bail!(
            "--before {} is still to come: all of the audit would be removed; name a day that is over",
            timestamp(before)
        );
    }
    let mut removed = 0;
    loop {
        let caller = Caller::platform("custodia audit", service.new_id());
        let Some(gap) = organization.prune_audit(&caller, before, entries_max, why, &ring).await? else {
            return Ok(removed);
        };
        removed += gap.facts.through - gap.facts.from + 1;
        progress(&format!("removed entries {} to {}", gap.facts.from, gap.facts.through));
    }
}

/// Removes the entries that an organisation does not want to keep any longer, if it says so.
///
/// # Errors
/// Store errors.
pub async fn prune_by_retention(service: &Service, organization: &Organization) -> Result<()> {
    let Some(days) = organization.audit_retention_days().await? else { return Ok(()) };
    let before = service.now().saturating_sub(i64::from(days).saturating_mul(DAY));
    let removed = prune(service, organization, before, RETENTION, &mut |_: &str| {}).await?;
    if removed > 0 {
        tracing::info!(organization.name = %organization.name(), removed, days, "old audit entries were removed");
    }
    Ok(())
}
