//! How a question about rows reaches the database: through the gate, as clients' do, or straight to the store with a plan
//! of choice and, for planted faults, with rights bent on the way.

use std::sync::Arc;

use custodia_access::{Denied, Mask, RowAccess, SharedColumn, Unmasking};
use custodia_oracle::{Asker, World};
use custodia_org::{RecordQuestion, Rows};
use custodia_query::{Aggregation, Expand, Filter, Query};
use custodia_schema::{ColumnId, Guid, PrivilegeKind, Table, Value};
use custodia_store::{Plan, ReadPolicy};

use crate::security::fault::Fault;
use crate::security::stage::{Known, Stage};

/// What part of a question asks for a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It shows columns and finds all rows.
    Shows,
    /// It filters by a column.
    Filters,
    /// It sorts by a column.
    Sorts,
    /// It filters by a column of another row.
    Follows,
}

/// The way of a question.
pub enum Way {
    /// `Organization::query`.
    Gate,
    /// The store, with this plan; and what is wrong on the way.
    Store(Plan, Option<Fault>),
}

/// Asks one world's questions.
pub struct Reader<'a> {
    pub stage: &'a Arc<Stage>,
    pub world: &'a World,
    /// Of how many records clear text is asked for.
    pub unmasking: Unmasking,
    way: Way,
    known: Known,
}

/// Rows with their count, or that the whole question is refused.
pub type Answer = Result<(Vec<Vec<Value>>, Option<u64>), String>;

impl<'a> Reader<'a> {
    pub fn new(stage: &'a Arc<Stage>, world: &'a World, way: Way) -> Self {
        Self { stage, world, unmasking: Unmasking::Nothing, way, known: Known::new() }
    }

    /// Asks for rows.
    ///
    /// # Panics
    /// When anything but a refusal stands in the way.
    pub async fn rows(&mut self, asker: Asker, part: Part, query: &Query) -> Answer {
        let mut answer = self.ask(asker, part, query).await;
        if let (Ok((rows, _)), true) = (&mut answer, part != Part::Sorts) {
            // Behind what was asked for stand the sort keys.
            let shown = query.fields.len()
                + query.links.iter().map(|link| link.fields.len()).sum::<usize>()
                + query
                    .expand
                    .iter()
                    .map(|expand| match expand {
                        Expand::One { fields, .. } => fields.len(),
                        Expand::Many { .. } => 0,
                    })
                    .sum::<usize>();
            rows.iter_mut().for_each(|row| row.truncate(shown));
        }
        answer
    }

    async fn ask(&mut self, asker: Asker, part: Part, query: &Query) -> Answer {
        let database = self.stage.org.database();
        match self.way {
            Way::Gate => {
                let mut sink = Rows::default();
                match self.stage.org.query(&self.caller(asker), query, &mut sink).await {
                    Ok(answer) => Ok((sink.rows, answer.count)),
                    Err(custodia_org::Error::Denied(denied)) => Err(denied.to_string()),
                    Err(error) => panic!("{asker:?} {query:?}: {error}"),
                }
            }
            Way::Store(plan, fault) => {
                let asker = fault.map_or(asker, |fault| fault.asker(asker));
                let authority = self.unmasked(asker, self.unmasking, fault).await?;
                let policy = Bent { authority: &authority, fault, part, plan };
                let mut sink = Rows::default();
                let read = match database.prepare_as(query, &policy, plan).await {
                    Ok(reading) => database.read(None, query, &policy, &reading, &mut sink).await,
                    Err(error) => Err(error),
                };
                match read {
                    Ok(outcome) => Ok((sink.rows, outcome.count)),
                    Err(custodia_store::Error::Denied(denied)) => Err(denied.to_string()),
                    Err(error) => panic!("{asker:?} {query:?}: {error}"),
                }
            }
        }
    }

    fn caller(&self, asker: Asker) -> custodia_org::Caller {
        let unmasks = self.unmasking != Unmasking::Nothing;
        custodia_org::Caller { unmasks, ..self.stage.caller(asker) }
    }

    /// The authority of an asker who asks for so much clear text.
    async fn unmasked(
        &mut self,
        asker: Asker,
        asked: Unmasking,
        fault: Option<Fault>,
    ) -> Result<custodia_access::Authority, String> {
        let authority = self.stage.authority(asker, &mut self.known).await.map_err(|denied| denied.to_string())?;
        let unmasking = fault.map_or(asked, |fault| fault.unmasking(asked));
        Ok(authority.unmasking(unmasking))
    }

    /// Asks for one record by its id.
    ///
    /// # Panics
    /// When anything but a refusal stands in the way.
    pub async fn record(
        &mut self,
        asker: Asker,
        table: &Table,
        query: Query,
        id: Guid,
    ) -> Result<Vec<Vec<Value>>, String> {
        if let Way::Store(..) = self.way {
            let query = Query { filter: Filter::equal(table.primary_id, Value::Guid(id)), ..query };
            return self.rows(asker, Part::Shows, &query).await.map(|(rows, _)| rows);
        }
        let mut sink = Rows::default();
        let shown = query.fields.len();
        let question = RecordQuestion::new(table, query);
        match self.stage.org.record(&self.caller(asker), &question, id, &mut sink).await {
            Ok(_) => {
                sink.rows.iter_mut().for_each(|row| row.truncate(shown));
                Ok(sink.rows)
            }
            Err(custodia_org::Error::Denied(denied)) => Err(denied.to_string()),
            Err(error) => panic!("{asker:?} {id}: {error}"),
        }
    }

    /// Asks for groups of rows.
    ///
    /// # Panics
    /// When anything but a refusal stands in the way.
    pub async fn groups(
        &mut self,
        asker: Asker,
        part: Part,
        aggregation: &Aggregation,
    ) -> Result<Vec<Vec<Value>>, String> {
        match self.way {
            Way::Gate => {
                let mut sink = Rows::default();
                match self.stage.org.aggregate(&self.caller(asker), aggregation, &mut sink).await {
                    Ok(_) => Ok(sink.rows),
                    Err(custodia_org::Error::Denied(denied)) => Err(denied.to_string()),
                    Err(error) => panic!("{asker:?} {aggregation:?}: {error}"),
                }
            }
            Way::Store(plan, fault) => {
                let asker = fault.map_or(asker, |fault| fault.asker(asker));
                // The gate asks for no clear text in groups.
                let authority = self.unmasked(asker, Unmasking::Nothing, fault).await?;
                let policy = Bent { authority: &authority, fault, part, plan };
                let mut sink = Rows::default();
                match self.stage.org.database().aggregate_as(aggregation, &policy, plan, &mut sink).await {
                    Ok(_) => Ok(sink.rows),
                    Err(custodia_store::Error::Denied(denied)) => Err(denied.to_string()),
                    Err(error) => panic!("{asker:?} {aggregation:?}: {error}"),
                }
            }
        }
    }

    /// For rows of one table, which of the eight rights the asker reaches each with, as a write asks before it changes
    /// the row. `None` where the asker may not even begin.
    pub async fn rights(&mut self, asker: Asker, table: &Arc<Table>, rows: &[Guid]) -> Option<Vec<[bool; 8]>> {
        let fault = match self.way {
            Way::Gate => None,
            Way::Store(_, fault) => fault,
        };
        let asker = fault.map_or(asker, |fault| fault.asker(asker));
        let authority = self.stage.authority(asker, &mut self.known).await.ok()?;
        let policy = Bent { authority: &authority, fault, part: Part::Shows, plan: Plan::Ordered };
        let checks =
            PrivilegeKind::ALL.map(|kind| policy.rows(table, kind).unwrap_or_else(|_| RowAccess::nothing(asker.user)));
        let (table, rows, checks) = (Arc::clone(table), rows.to_vec(), Arc::new(checks));
        let read = self.stage.org.database().write::<_, custodia_store::Error, _>(move |transaction| {
            let (table, rows, checks) = (Arc::clone(&table), rows.clone(), Arc::clone(&checks));
            Box::pin(async move {
                let mut reached = Vec::with_capacity(rows.len());
                for row in rows {
                    let key = custodia_store::RowKey::Id(row);
                    let found = transaction.fetch(&table, &key, checks.as_slice()).await?.unwrap();
                    reached.push(<[bool; 8]>::try_from(found.reached).unwrap());
                }
                Ok(reached)
            })
        });
        Some(read.await.unwrap())
    }
}

/// An authority as the store asks it, with a fault planted.
struct Bent<'a> {
    authority: &'a custodia_access::Authority,
    fault: Option<Fault>,
    part: Part,
    plan: Plan,
}

impl Bent<'_> {
    fn opens_in_spite(&self, table: &Table, column: ColumnId) -> bool {
        self.fault.is_some_and(|fault| fault.opens(self.authority, self.part, table, column))
    }
}

impl ReadPolicy for Bent<'_> {
    fn rows(&self, table: &Table, kind: PrivilegeKind) -> Result<RowAccess, Denied> {
        match self.fault {
            None => self.authority.rows(table, kind),
            Some(fault) => fault.bend(self.authority, table, kind, self.plan),
        }
    }

    fn reads_column(&self, table: &Table, column: ColumnId) -> bool {
        let open = match self.fault {
            Some(fault) => fault.reads_column(self.authority, table, column),
            None => self.authority.reads_column_somewhere(table, column),
        };
        open || self.opens_in_spite(table, column)
    }

    fn mask(&self, table: &Table, column: ColumnId) -> Option<Arc<Mask>> {
        let mask = self.authority.mask(table, column);
        match self.fault {
            Some(fault) => fault.bend_mask(mask, table, column),
            None => mask,
        }
    }

    fn shared_columns(&self, table: &Table) -> Vec<SharedColumn> {
        let shared = self.authority.shared_columns(table);
        match self.fault {
            // What a fault opens is open on every row.
            Some(fault) => {
                let shared = shared.into_iter().filter(|column| !self.opens_in_spite(table, column.column));
                fault.bend_shared(table, shared.collect())
            }
            None => shared,
        }
    }
}
