//! The course of an export: page after page, each handed over before the next one is read.

use std::io;

use custodia_org::{Caller, Moment, Organization};
use custodia_schema::Value;
use futures::future::BoxFuture;

use super::error::Error;
use super::page::Page;
use super::plan::Export;

/// Records read by one statement.
const PAGE_ROWS: u32 = 1_000;
/// Bytes of one page; the row that passes it is the last of its page. A row has no bound of its own but those of its columns.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Changes looked at together, where it is asked whether any were made meanwhile.
const CHANGES_AT_ONCE: u32 = 10_000;

/// Takes the bytes of the file. What it has not taken is not read yet: a slow one makes the export slow, not large.
pub trait Destination: Send {
    /// Takes the next bytes, whole lines of UTF-8; `rows` have been handed over with them.
    fn take<'d>(&'d mut self, bytes: Vec<u8>, rows: u64) -> BoxFuture<'d, io::Result<()>>;
}

/// What an export came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Records, each a row of the file.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Changes of the table's records, exported or not, that were made while the export ran; `None` if they cannot be told.
    /// If there are none, the file shows one moment.
    pub changes_meanwhile: Option<u64>,
}

impl Export {
    /// Hands the file over, of what the caller may see. Records come in the order of their ids, each once; each is as it was
    /// at some moment between begin and end, those of one page at the same.
    ///
    /// # Errors
    /// [`Error::Gate`], [`Error::Destination`]. The destination has then a part of the file.
    pub async fn run(
        &self,
        organization: &Organization,
        caller: &Caller,
        destination: &mut dyn Destination,
    ) -> Result<Exported, Error> {
        let gate = |rows: u64| move |source| Error::Gate { rows, source: Box::new(source) };
        let broken = |rows: u64| move |source| Error::Destination { rows, source };
        let begun = organization.present_moment(caller, self.table.id).await.map_err(gate(0))?;

        let header = Page::header(&self.shown).map_err(|error| broken(0)(io::Error::from(error)))?;
        let mut exported = Exported { rows: 0, bytes: header.len() as u64, changes_meanwhile: None };
        destination.take(header, 0).await.map_err(broken(0))?;
        let mut query = self.query(PAGE_ROWS);
        loop {
            let mut page = Page::new(&self.shown, PAGE_BYTES_MAX);
            organization.query(caller, &query, &mut page).await.map_err(gate(exported.rows))?;
            let taken = page.end().map_err(broken(exported.rows))?;
            exported.rows += taken.rows;
            exported.bytes += taken.bytes.len() as u64;
            let is_last = taken.handed == taken.rows && taken.handed <= u64::from(PAGE_ROWS);
            query.after = taken.last.map(|last| vec![Value::Guid(last)]);
            if taken.rows > 0 {
                destination.take(taken.bytes, exported.rows).await.map_err(broken(exported.rows))?;
            }
            if is_last || query.after.is_none() {
                break;
            }
        }
        exported.changes_meanwhile =
            self.changes_since(organization, caller, begun).await.map_err(gate(exported.rows))?;
        Ok(exported)
    }

    /// How many changes there have been since a moment.
    async fn changes_since(
        &self,
        organization: &Organization,
        caller: &Caller,
        mut moment: Moment,
    ) -> custodia_org::Result<Option<u64>> {
        let mut changes = 0;
        loop {
            let found = organization.changes_after(caller, self.table.id, moment, CHANGES_AT_ONCE).await?;
            let Some(found) = found else { return Ok(None) };
            changes += (found.written.len() + found.removed.len()) as u64;
            if !found.more {
                return Ok(Some(changes));
            }
            moment = found.up_to;
        }
    }
}
