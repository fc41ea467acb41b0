//! Everything that may be asked of a world, listed, so that a comparison is one loop.

use custodia_schema::{Guid, PrivilegeKind};

use crate::{
    ColumnRight, DERIVED_COLUMNS, NewRow, Operation, Protection, RowView, SECURED_COLUMNS, Verdict, World, WorldTable,
    column_of_row_open, column_open, may, may_assign, may_associate, may_create, may_create_on_behalf, may_link,
    may_on_behalf, may_share,
};

/// Columns that are not secured, to be asked besides those that are.
const OPEN_COLUMNS: [(WorldTable, &str); 2] = [(WorldTable::Account, "name"), (WorldTable::Task, "subject")];

/// Masks that are asked to be shared: Read; Read and Write; Read, Write, AppendTo and Share.
const SHARED_MASKS: [u32; 3] = [0x1, 0x3, 0x4_0013];

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Asker {
    /// The user in whose name.
    pub user: Guid,
    /// The user who calls, when that is another one.
    pub caller: Option<Guid>,
}

/// One question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Has the asker this right on an existing row?
    Row(Asker, PrivilegeKind, WorldTable, Guid),
    /// May the asker make this row?
    Create(Asker, WorldTable, NewRow),
    /// May the user give the row to this owner?
    Assign(Guid, WorldTable, Guid, Guid),
    /// May the user share the row with these rights?
    Share(Guid, WorldTable, Guid, u32),
    /// May the user point the lookup of the first row at the second? (The right to write the first one left aside.)
    Link(Guid, (WorldTable, Guid), &'static str, (WorldTable, Guid)),
    /// May the user link this opportunity and this competitor?
    Associate(Guid, Guid, Guid),
    /// Is the column open to the user, on every row?
    Column(Guid, ColumnRight, WorldTable, &'static str),
    /// Is the column of this row open to the user, if the row is?
    ColumnOfRow(Guid, ColumnRight, WorldTable, &'static str, Guid),
}

impl Question {
    /// What kind of question it is.
    #[must_use]
    pub fn operation(&self) -> Operation {
        match self {
            Self::Row(Asker { caller: None, .. }, kind, ..) => Operation::Row(*kind),
            Self::Row(_, kind, ..) => Operation::OnBehalf(*kind),
            Self::Create(Asker { caller: None, .. }, ..) => Operation::Create,
            Self::Create(..) => Operation::CreateOnBehalf,
            Self::Assign(..) => Operation::Assign,
            Self::Share(..) => Operation::Share,
            Self::Link(..) => Operation::Link,
            Self::Associate(..) => Operation::Associate,
            Self::Column(_, right, ..) | Self::ColumnOfRow(_, right, ..) => Operation::on_column(*right),
        }
    }
}

impl World {
    /// All questions there are: every user for themselves and on behalf of one other, every row and every right, every
    /// place a new row may take; a few owners and masks for each row. Some hundred to a few thousand.
    #[must_use]
    pub fn questions(&self) -> Vec<Question> {
        let mut questions = Vec::new();
        let rows = self.rows();
        let owners: Vec<Guid> =
            self.users.iter().map(|user| user.id).chain(self.teams.iter().map(|team| team.id)).collect();
        let next_users = self.users.iter().cycle().skip(1);
        for (turn, (user, next)) in self.users.iter().zip(next_users).enumerate() {
            self.ask_as(Asker { user: user.id, caller: None }, &rows, &mut questions);
            self.ask_as(Asker { user: next.id, caller: Some(user.id) }, &rows, &mut questions);
            self.ask_gifts(user.id, turn, &rows, &owners, &mut questions);
            self.ask_links(user.id, &mut questions);
            let derived = DERIVED_COLUMNS.map(|(table, column, _)| (table, column));
            for (table, column) in SECURED_COLUMNS.into_iter().chain(OPEN_COLUMNS).chain(derived) {
                for right in [ColumnRight::Read, ColumnRight::Create, ColumnRight::Update] {
                    questions.push(Question::Column(user.id, right, table, column));
                }
                for record in self.records.iter().filter(|record| record.table == table) {
                    for right in [ColumnRight::Read, ColumnRight::Update] {
                        questions.push(Question::ColumnOfRow(user.id, right, table, column, record.id));
                    }
                }
            }
        }
        questions
    }

    /// The right answer.
    ///
    /// # Panics
    /// When the question names a row that is not in this world.
    #[must_use]
    #[expect(clippy::expect_used, reason = "test support: a question about another world has to stop the test")]
    pub fn answer(&self, question: &Question) -> Verdict {
        let row = |id: Guid| self.row(id).expect("a row of this world");
        match *question {
            Question::Row(Asker { user, caller: None }, kind, _, id) => may(self, user, kind, &row(id)),
            Question::Row(Asker { user, caller: Some(caller) }, kind, _, id) => {
                may_on_behalf(self, caller, user, kind, &row(id))
            }
            Question::Create(Asker { user, caller: None }, table, new) => may_create(self, user, table, new),
            Question::Create(Asker { user, caller: Some(caller) }, table, new) => {
                may_create_on_behalf(self, caller, user, table, new)
            }
            Question::Assign(user, _, id, owner) => may_assign(self, user, &row(id), owner),
            Question::Share(user, _, id, rights) => may_share(self, user, &row(id), rights),
            Question::Link(user, (_, from), _, (_, to)) => may_link(self, user, &row(from), &row(to)),
            Question::Associate(user, opportunity, competitor) => {
                may_associate(self, user, &row(opportunity), &row(competitor))
            }
            Question::Column(user, right, table, column) => column_open(self, user, right, table, column),
            Question::ColumnOfRow(user, right, table, column, row) => {
                column_of_row_open(self, user, right, table, column, row)
            }
        }
    }

    fn ask_as(&self, asker: Asker, rows: &[RowView], questions: &mut Vec<Question>) {
        for table in WorldTable::ALL {
            for kind in PrivilegeKind::ALL {
                let of_table = rows.iter().filter(|row| row.table == table);
                questions.extend(of_table.map(|row| Question::Row(asker, kind, table, row.id)));
            }
            questions.extend(self.new_rows(table).into_iter().map(|new| Question::Create(asker, table, new)));
        }
    }

    fn new_rows(&self, table: WorldTable) -> Vec<NewRow> {
        match table.protection() {
            Protection::Owned => {
                let users = self.users.iter().map(|user| NewRow::OwnedBy(user.id));
                let teams = self.teams.iter().map(|team| NewRow::OwnedBy(team.id));
                users.chain(teams).chain([NewRow::Own]).collect()
            }
            Protection::Unit => self.units.iter().map(|unit| NewRow::InUnit(unit.id)).collect(),
            Protection::Organization => vec![NewRow::OfOrganization],
            Protection::Line => {
                let quotes = self.records.iter().filter(|record| record.table == WorldTable::Quote);
                quotes.map(|quote| NewRow::Under(quote.id)).collect()
            }
            Protection::Link => Vec::new(),
        }
    }

    fn ask_gifts(&self, user: Guid, turn: usize, rows: &[RowView], owners: &[Guid], questions: &mut Vec<Question>) {
        let owned = rows.iter().filter(|row| row.table.protection() == Protection::Owned);
        for (at, row) in owned.enumerate() {
            questions.extend(SHARED_MASKS.map(|mask| Question::Share(user, row.table, row.id, mask)));
            // Two of the owners, others for every row and user.
            for shift in [0, 5] {
                if let Some(owner) = owners.iter().cycle().nth(at + turn + shift) {
                    questions.push(Question::Assign(user, row.table, row.id, *owner));
                }
            }
        }
    }

    fn ask_links(&self, user: Guid, questions: &mut Vec<Question>) {
        for record in &self.records {
            for lookup in &record.lookups {
                let from = (record.table, record.id);
                questions.push(Question::Link(user, from, lookup.column, (lookup.table, lookup.id)));
            }
        }
        for opportunity in self.records.iter().filter(|record| record.table == WorldTable::Opportunity) {
            for competitor in self.records.iter().filter(|record| record.table == WorldTable::Competitor) {
                questions.push(Question::Associate(user, opportunity.id, competitor.id));
            }
        }
    }
}
