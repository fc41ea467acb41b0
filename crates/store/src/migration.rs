//! Bringing a database forward to this program.
//!
//! A database says which format its own tables have and the oldest programs that may read and write it. Formats have
//! numbers without gaps: 1 is what `sql::internal::create` makes, for ever; each later one is a [`Migration`], and a new
//! database goes through all of them. So a fresh database and one brought forward are the same.
//!
//! Record tables follow the schema instead: each is kept with a number of the definition it was made with, and where
//! this program would make it otherwise, the columns and indexes that it lacks are added.

use std::collections::HashMap;

use custodia_schema::{Schema, TableId};
use parking_lot::Mutex;

use crate::link::Link;
use crate::sql::{self, Dialect, audit_filing, audit_log, content, internal};
use crate::{Error, Result, Services};

/// A step from one format of the store's own tables to the next.
pub(crate) struct Migration {
    /// The oldest program that may read a database of the new format.
    pub oldest_reader: u32,
    /// The oldest program that may write one.
    pub oldest_writer: u32,
    /// What is to be run, in one transaction.
    pub statements: fn(Dialect) -> Vec<String>,
    /// Audit entries that are there are to be sealed then.
    pub seals_audit: bool,
}

/// All steps in order, the first to format 2. Append only: a step that was shipped is never changed or removed.
const MIGRATIONS: &[Migration] = &[
    // Which tables have shares: an older program would share rows and not note it.
    Migration { oldest_reader: 1, oldest_writer: 2, statements: internal::create_shared, seals_audit: false },
    // The audit's chain: an older program would write entries without it.
    Migration { oldest_reader: 1, oldest_writer: 3, statements: audit_log::create_seals, seals_audit: true },
    // Who stands below whom: an older program would not keep it, and gives rights without it.
    Migration { oldest_reader: 1, oldest_writer: 4, statements: internal::create_chains, seals_audit: false },
    // The table `audit` is a view: an older program would bring it forward as a table.
    Migration { oldest_reader: 1, oldest_writer: 5, statements: sql::audit_view::forget_table, seals_audit: false },
    // Entries of the audit are filed under their records by the program: an older one would not.
    Migration { oldest_reader: 1, oldest_writer: 6, statements: audit_filing::create, seals_audit: false },
];

/// The number of this program's storage format: a database records the oldest program that may read and write it.
pub const PROGRAM_VERSION: u32 = format_after(MIGRATIONS);

/// The format that all of these steps lead to.
const fn format_after(migrations: &[Migration]) -> u32 {
    let mut format = 1;
    let mut left = migrations.len();
    while left > 0 {
        format += 1;
        left -= 1;
    }
    format
}

/// What a database says of the programs that may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Programs {
    pub format: u32,
    pub oldest_reader: u32,
    pub oldest_writer: u32,
}

/// The definitions that this program makes tables with: computed once for all databases.
#[derive(Default)]
pub(crate) struct Definitions {
    known: Mutex<HashMap<(Dialect, TableId), Option<i64>>>,
}

impl Definitions {
    fn of(&self, dialect: Dialect, schema: &Schema, table: TableId) -> Option<i64> {
        *self
            .known
            .lock()
            .entry((dialect, table))
            .or_insert_with(|| content::present_definition(dialect, schema, table))
    }
}

/// Reads what a database says of itself, and refuses one that this program must not read.
///
/// # Errors
/// [`Error::TooNew`]; [`Error::Corrupt`] without a head, or when its texts were folded by other rules.
pub(crate) async fn readable(link: &Link) -> Result<Programs> {
    let found = crate::link::rows(link, &internal::select_programs(), |row| {
        let number = |at| u32::try_from(row.integer(at)?).ok();
        Some((number(0)?, number(1)?, number(2)?, row.integer(3)?))
    })
    .await?;
    let Some((format, oldest_reader, oldest_writer, fold_version)) = found.first().copied() else {
        return Err(Error::Corrupt("the commit head is missing".to_owned()));
    };
    if oldest_reader > PROGRAM_VERSION {
        return Err(Error::TooNew { needed: oldest_reader, present: PROGRAM_VERSION });
    }
    if fold_version != i64::from(custodia_schema::FOLD_VERSION) {
        return Err(Error::Corrupt(format!(
            "texts were folded by rules {fold_version}, this program folds by rules {}",
            custodia_schema::FOLD_VERSION
        )));
    }
    Ok(Programs { format, oldest_reader, oldest_writer })
}

/// Brings a database forward if it needs it; `None` when a newer program has it and this one may only read, else the
/// numbers of its tables.
///
/// # Errors
/// As [`readable`]; store errors, and then the database is at some format between its own and this program's.
pub(crate) async fn bring_forward(link: &Link, services: &Services) -> Result<Programs> {
    let found = readable(link).await?;
    let programs = apply(link, found, MIGRATIONS, services).await?;
    if programs.format != found.format {
        tracing::info!(from = found.format, to = programs.format, "a database was brought forward");
    }
    if programs.oldest_writer <= PROGRAM_VERSION {
        grow(link, services).await?;
        file_audit(link).await?;
    }
    Ok(programs)
}

/// Files all entries of the audit anew, in a file that came from elsewhere: no check of a copy looks at what follows from
/// others.
pub(crate) async fn file_audit_anew(link: &Link) -> Result<()> {
    link.begin_unlimited().await?;
    let step = async {
        for statement in audit_filing::forget_all() {
            link.execute(&statement).await?;
        }
        Ok(())
    };
    link.end_unlimited(step.await).await?;
    file_audit(link).await
}

/// Files the entries of the audit that were not, in a copy of a database or one of an older format.
async fn file_audit(link: &Link) -> Result<()> {
    let Link::Sqlite(file) = link else { return Ok(()) };
    loop {
        let found = crate::link::rows(link, &audit_filing::select_filed(), |row| {
            Some((row.integer(0)?, row.integer(1)?, row.integer(2)?))
        })
        .await?;
        let Some((filed, last, first)) = found.first().copied() else {
            return Err(Error::Corrupt("what the audit is filed by is missing".to_owned()));
        };
        // What is less is filed by the writer as it goes.
        if last - filed < audit_filing::FILED_TOGETHER {
            return Ok(());
        }
        let through = last.min(first.saturating_add(audit_filing::CATCH_UP));
        link.begin_unlimited().await?;
        let step = async {
            for statement in audit_filing::file_entries(through) {
                link.execute(&statement).await?;
            }
            Ok(())
        };
        link.end_unlimited(step.await).await?;
        // Each step touches pages all over: their log is not kept for all steps.
        file.checkpoint()?;
    }
}

/// Makes the store's own tables and the head of an empty database, in the newest format.
pub(crate) async fn initialise(link: &Link, services: &Services) -> Result<()> {
    link.begin_plain().await?;
    for sql in internal::create(link.dialect()) {
        link.run(&sql).await?;
    }
    link.execute(&internal::insert_head(services.clock.now_ms().div_euclid(1000))).await?;
    link.run(internal::COMMIT).await?;
    let made = readable(link).await?;
    apply(link, made, MIGRATIONS, services).await.map(drop)
}

/// What makes the store's own tables in the newest format, without the head: for a copy of a database that has it.
pub(crate) fn newest(dialect: Dialect) -> Vec<String> {
    let steps = MIGRATIONS.iter().flat_map(|step| (step.statements)(dialect));
    internal::create(dialect).into_iter().chain(steps).collect()
}

/// Takes a database that was found to be of a format through the steps that it lacks.
async fn apply(link: &Link, found: Programs, migrations: &[Migration], services: &Services) -> Result<Programs> {
    let mut programs = found;
    for (format, migration) in (2_u32..).zip(migrations) {
        if format <= programs.format {
            continue;
        }
        link.begin_unlimited().await?;
        // Another node may have been faster: the head is locked only now.
        let step = async {
            programs = readable(link).await?;
            if format <= programs.format {
                return Ok(());
            }
            for sql in (migration.statements)(link.dialect()) {
                link.run(&sql).await?;
            }
            if migration.seals_audit {
                crate::seal::seal_existing(link, services).await?;
            }
            programs =
                Programs { format, oldest_reader: migration.oldest_reader, oldest_writer: migration.oldest_writer };
            link.execute(&internal::update_programs(&programs)).await.map(drop)
        };
        link.end_unlimited(step.await).await?;
        tracing::debug!(format, "a database went a step forward");
    }
    Ok(programs)
}

/// Adds what tables of an older schema lack.
async fn grow(link: &Link, services: &Services) -> Result<()> {
    let (dialect, schema) = (link.dialect(), &services.schema);
    let older = |table: &(TableId, i64)| {
        let present = services.definitions.of(dialect, schema, table.0);
        present.filter(|present| *present != table.1).map(|present| (table.0, present))
    };
    if !definitions(link).await?.iter().any(|table| older(table).is_some()) {
        return Ok(());
    }
    link.begin_unlimited().await?;
    let step = async {
        for (id, definition) in definitions(link).await?.iter().filter_map(older) {
            let Some(table) = schema.table(id) else { continue };
            let statement = content::select_columns(dialect, &table.name);
            let columns = crate::link::rows(link, &statement, |row| Some(row.text(0)?.to_owned())).await?;
            for sql in sql::content::grow_table(dialect, schema, table, &columns) {
                link.run(&sql).await?;
            }
            link.execute(&internal::update_definition(id, definition)).await?;
            tracing::info!(table = %table.name, "a table was brought forward");
        }
        // Statements compiled before do not know the new columns.
        link.run(internal::NEXT_METADATA_VERSION).await
    };
    link.end_unlimited(step.await).await
}

async fn definitions(link: &Link) -> Result<Vec<(TableId, i64)>> {
    crate::link::rows(link, &internal::select_definitions(), |row| {
        Some((TableId(u32::try_from(row.integer(0)?).ok()?), row.integer(1)?))
    })
    .await
}

#[cfg(test)]
mod tests;
