//! Copies a database row by row to the other engine.
//!
//! Tables are copied as they physically are, derived columns and the store's own tables included, and counted and hashed
//! on the way.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::content::{Content, TableContent, Tally};
use crate::database::off_the_worker;
use crate::postgres::PostgresConnection;
use crate::row::Row;
use crate::snapshot::Snapshot;
use crate::sql::content::Layout;
use crate::sql::{Dialect, Parameter, create_table, internal};
use crate::sqlite::SqliteFile;
use crate::{Error, Result};
use custodia_schema::{Schema, TableId};

/// Rows handed from the reading side to the writing side at a time.
const CHUNK_ROWS: usize = 256;
/// Such chunks under way.
const CHUNKS_MAX: usize = 4;

/// Rows of a table from which on it is told that it was copied.
const TOLD_ROWS_MIN: u64 = 10_000;

/// What is copied: the record tables that exist, and the store's own.
struct Plan<'s> {
    schema: &'s Schema,
    tables: Vec<TableId>,
    /// The store's own tables first.
    layouts: Vec<Layout>,
}

impl<'s> Plan<'s> {
    async fn of(snapshot: &Snapshot, schema: &'s Schema) -> Result<Self> {
        let tables = snapshot.tables().await?;
        let mut layouts = Layout::internal();
        layouts.extend(crate::content::records(schema, &tables)?);
        Ok(Self { schema, tables, layouts })
    }

    /// The statements that make the tables, and those that make their indexes, which rows are better without at first.
    fn definitions(&self, dialect: Dialect) -> (Vec<String>, Vec<String>) {
        let (mut tables, mut indexes) = (crate::migration::newest(dialect), Vec::new());
        for table in self.tables.iter().filter_map(|id| self.schema.table(*id)) {
            let mut statements = create_table(dialect, self.schema, table).into_iter();
            tables.extend(statements.next());
            indexes.extend(statements);
        }
        (tables, indexes)
    }
}

/// Fills an empty embedded database with everything a snapshot holds; what was read.
pub(crate) async fn to_file(
    snapshot: &Snapshot,
    schema: &Schema,
    target: &SqliteFile,
    progress: &mut (dyn FnMut(&str) + Send),
) -> Result<Content> {
    let plan = Plan::of(snapshot, schema).await?;
    let (tables, indexes) = plan.definitions(Dialect::Sqlite);
    let mut contents = Vec::with_capacity(plan.layouts.len());
    in_file(target, &tables)?;
    for layout in &plan.layouts {
        target.writer.lock().run(internal::BEGIN)?;
        let content = rows_to_file(snapshot, layout, target).await?;
        target.writer.lock().run(internal::COMMIT)?;
        tell_copied(&content, progress);
        // Else the log would grow to the size of everything.
        target.checkpoint()?;
        contents.push(content);
    }
    progress("making indexes");
    in_file(target, &indexes)?;
    Ok(Content::of(contents))
}

/// Tells how far the copy is. What is copied in no time goes without saying.
fn tell_copied(content: &TableContent, progress: &mut (dyn FnMut(&str) + Send)) {
    if content.rows >= TOLD_ROWS_MIN {
        progress(&format!("copied table {}: {} rows", content.table, content.rows));
    }
}

fn in_file(target: &SqliteFile, statements: &[String]) -> Result<()> {
    off_the_worker(|| {
        let writer = target.writer.lock();
        writer.unlimited();
        writer.run(internal::BEGIN)?;
        statements.iter().try_for_each(|sql| writer.run(sql))?;
        writer.run(internal::COMMIT)
    })
}

async fn rows_to_file(snapshot: &Snapshot, layout: &Layout, target: &SqliteFile) -> Result<TableContent> {
    let mut tally = Tally::new(layout);
    let mut failed = None;
    let mut sink = |row: &Row<'_>| {
        tally.row(row);
        if failed.is_none() {
            let insert = layout.insert(Dialect::Sqlite, layout.parameters(row));
            failed = target.writer.lock().execute(&insert).err();
        }
    };
    snapshot.query(&layout.select(), &mut sink).await?;
    match failed {
        Some(error) => Err(error),
        None => tally.finish(),
    }
}

/// Fills an empty PostgreSQL database with everything a snapshot holds; what was read.
pub(crate) async fn to_postgres(
    snapshot: &Arc<Snapshot>,
    schema: &Schema,
    target: &PostgresConnection,
    progress: &mut (dyn FnMut(&str) + Send),
) -> Result<Content> {
    let plan = Plan::of(snapshot, schema).await?;
    let (tables, indexes) = plan.definitions(Dialect::Postgres);
    let mut contents = Vec::with_capacity(plan.layouts.len());
    in_postgres(target, &tables).await?;
    for layout in &plan.layouts {
        let content = rows_to_postgres(snapshot, layout, target).await?;
        tell_copied(&content, progress);
        contents.push(content);
    }
    progress("making indexes");
    in_postgres(target, &indexes).await?;
    // PostgreSQL comes by itself within a minute; until then it would know nothing of the rows, and plan lists of millions so.
    progress("gathering statistics");
    for layout in &plan.layouts {
        target.run(&layout.analyze()).await?;
    }
    Ok(Content::of(contents))
}

async fn in_postgres(target: &PostgresConnection, statements: &[String]) -> Result<()> {
    target.run(internal::BEGIN).await?;
    for sql in statements {
        target.run(sql).await?;
    }
    target.run(internal::COMMIT).await
}

async fn rows_to_postgres(
    snapshot: &Arc<Snapshot>,
    layout: &Layout,
    target: &PostgresConnection,
) -> Result<TableContent> {
    let (sender, receiver) = mpsc::channel(CHUNKS_MAX);
    let reading = {
        let (snapshot, layout) = (Arc::clone(snapshot), layout.clone());
        // A thread of its own: reading a file blocks, and waits here for the writing side.
        tokio::task::spawn_blocking(move || read_chunks(&snapshot, &layout, &sender))
    };
    let types: Vec<_> = layout.columns.iter().map(|column| column.storage).collect();
    let written = target.copy_in(&layout.copy_in(), &types, receiver).await;
    let read = reading.await.map_err(|error| Error::unavailable("reading a table", error))?;
    // The writing side's failure is why the reading side stopped.
    let written = written?;
    let content = read?;
    if written != content.rows {
        return Err(Error::Corrupt(format!("table {}: {} rows read, {written} written", layout.name, content.rows)));
    }
    Ok(content)
}

fn read_chunks(
    snapshot: &Snapshot,
    layout: &Layout,
    sender: &mpsc::Sender<Vec<Vec<Parameter>>>,
) -> Result<TableContent> {
    let mut tally = Tally::new(layout);
    let mut chunk = Vec::with_capacity(CHUNK_ROWS);
    let mut sink = |row: &Row<'_>| {
        tally.row(row);
        chunk.push(layout.parameters(row));
        if chunk.len() == CHUNK_ROWS {
            // Nobody takes them any more when writing has failed, which the writing side tells.
            let _ = sender.blocking_send(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK_ROWS)));
        }
    };
    futures::executor::block_on(snapshot.query(&layout.select(), &mut sink))?;
    let _ = sender.blocking_send(chunk);
    tally.finish()
}
