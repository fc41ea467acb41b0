//! The single ways by which rows are reached, each as an access of its own: what an explanation tries one by one.

use custodia_schema::{ColumnId, Guid, TableId};

use crate::{Own, RowAccess, RowArms};

/// One way to reach a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Every row of the table is reached.
    Everything,
    /// The row is the user's or a team's of theirs, or stands for the user.
    Owned,
    /// The row sits in this unit.
    Unit(Guid),
    /// The row sits in this unit or one below it.
    Subtree(Guid),
    /// A share contains the right.
    Shared,
    /// The row is owned by somebody below the user, or somebody below was given the right on it by hand. The access of this way
    /// has the shares of [`Way::Shared`] as well, which it cannot be asked without.
    Reports,
    /// The row that one of these lookups points at is reached.
    Parent(Vec<(ColumnId, TableId)>),
    /// It is an entry of the audit about a table that the user may read.
    Telling,
    /// Several things have to be reached at once: both ends of a link.
    All,
}

impl RowAccess {
    /// The ways that this access is made of; a row is reached when any of them reaches it.
    #[must_use]
    pub fn ways(&self) -> Vec<(Way, Self)> {
        match self {
            Self::All => vec![(Way::Everything, Self::All)],
            Self::Every(_) => vec![(Way::All, self.clone())],
            Self::Telling(_) => vec![(Way::Telling, self.clone())],
            Self::Parent(parents) => {
                let ends = parents.iter().filter(|parent| parent.access.is_some());
                vec![(Way::Parent(ends.map(|parent| (parent.lookup, parent.table)).collect()), self.clone())]
            }
            Self::Arms(arms) => arms.ways(),
        }
    }
}

impl RowArms {
    fn ways(&self) -> Vec<(Way, RowAccess)> {
        let Self { user, own, units, subtrees, shared, reports } = self;
        let nothing = || Self {
            user: *user,
            own: Own::Nobody,
            units: Vec::new(),
            subtrees: Vec::new(),
            shared: None,
            reports: None,
        };
        let mut ways = Vec::new();
        if *own != Own::Nobody {
            ways.push((Way::Owned, RowAccess::Arms(Self { own: own.clone(), ..nothing() })));
        }
        for unit in units {
            ways.push((Way::Unit(*unit), RowAccess::Arms(Self { units: vec![*unit], ..nothing() })));
        }
        for unit in subtrees {
            ways.push((Way::Subtree(*unit), RowAccess::Arms(Self { subtrees: vec![*unit], ..nothing() })));
        }
        if shared.is_some() {
            ways.push((Way::Shared, RowAccess::Arms(Self { shared: *shared, ..nothing() })));
        }
        if reports.is_some() {
            ways.push((Way::Reports, RowAccess::Arms(Self { reports: *reports, shared: *shared, ..nothing() })));
        }
        ways
    }
}
