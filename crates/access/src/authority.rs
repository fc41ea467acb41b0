//! On whose behalf a request runs.

use std::sync::Arc;

use custodia_schema::{ColumnId, Guid, Level, NamedPrivilege, PrivilegeKind, RowSecurity, Table};

use crate::place::covers_unit;
use crate::{
    ColumnShare, Denied, Mask, OwnerFacts, Permit, Place, Rights, RightsMask, RowAccess, SharedColumn, UnitPath,
    Unmasking, append_kind, new_owner_may_hold,
};

/// The privilege to act for another user. It counts only from a role assigned to the caller directly.
pub const ACT_ON_BEHALF: &str = "prvActOnBehalfOfAnotherUser";

/// On whose behalf a request runs: a user; a user for whom another one acts, and who then may do only what both may; or
/// a named caller of the platform itself, which reaches everything.
#[derive(Clone, Debug)]
pub struct Authority {
    acting: Acting,
    unmasking: Unmasking,
}

#[derive(Clone, Debug)]
enum Acting {
    User(Arc<Rights>),
    OnBehalf { caller: Arc<Rights>, user: Arc<Rights> },
    Platform(&'static str),
}

impl Authority {
    /// A user acting for themselves.
    #[must_use]
    pub fn user(rights: Arc<Rights>) -> Self {
        Self::of(Acting::User(rights))
    }

    /// `caller` acting for `user`. Acting for oneself is acting as oneself and needs nothing.
    ///
    /// # Errors
    /// When either is disabled or has no role, or the caller does not hold `prvActOnBehalfOfAnotherUser` through a role
    /// assigned directly.
    pub fn on_behalf(caller: Arc<Rights>, user: Arc<Rights>) -> Result<Self, Denied> {
        if caller.user_id() == user.user_id() {
            return Ok(Self::user(user));
        }
        caller.check_acts_for_others()?;
        user.admitted()?;
        Ok(Self::of(Acting::OnBehalf { caller, user }))
    }

    /// A named caller of the platform itself (a job, a migration). It reaches everything; what it does is audited under
    /// its name.
    #[must_use]
    pub fn platform(name: &'static str) -> Self {
        Self::of(Acting::Platform(name))
    }

    fn of(acting: Acting) -> Self {
        Self { acting, unmasking: Unmasking::Nothing }
    }

    /// The same for a request that asks for clear values of masked columns. Whether it gets them, profiles say.
    #[must_use]
    pub fn unmasking(self, unmasking: Unmasking) -> Self {
        Self { unmasking, ..self }
    }

    /// The user in whose name things happen; `None` for the platform.
    #[must_use]
    pub fn user_id(&self) -> Option<Guid> {
        self.acting().map(Rights::user_id)
    }

    /// The user who really called, when that is another one.
    #[must_use]
    pub fn calling_user_id(&self) -> Option<Guid> {
        match &self.acting {
            Acting::OnBehalf { caller, .. } => Some(caller.user_id()),
            Acting::User(_) | Acting::Platform(_) => None,
        }
    }

    /// The name of the platform's caller.
    #[must_use]
    pub fn platform_name(&self) -> Option<&'static str> {
        match self.acting {
            Acting::Platform(name) => Some(name),
            Acting::User(_) | Acting::OnBehalf { .. } => None,
        }
    }

    /// The rights of the user in whose name things happen; `None` for the platform. What the user may do also depends
    /// on the caller behind: use this for what concerns the user's own settings (unit, roles of forms), not to decide.
    #[must_use]
    pub fn acting(&self) -> Option<&Rights> {
        match &self.acting {
            Acting::User(user) | Acting::OnBehalf { user, .. } => Some(user),
            Acting::Platform(_) => None,
        }
    }

    /// The rights of a user who acts for nobody else: all that decides what such a request may do.
    #[must_use]
    pub fn single(&self) -> Option<&Arc<Rights>> {
        match &self.acting {
            Acting::User(user) => Some(user),
            Acting::OnBehalf { .. } | Acting::Platform(_) => None,
        }
    }

    /// The rights that all have to allow a thing: none for the platform, one or two for users.
    fn each(&self) -> impl Iterator<Item = &Rights> {
        let (first, second) = match &self.acting {
            Acting::User(user) => (Some(user), None),
            Acting::OnBehalf { caller, user } => (Some(user), Some(caller)),
            Acting::Platform(_) => (None, None),
        };
        first.into_iter().chain(second).map(Arc::as_ref)
    }

    /// The security versions all of which must be the database's present one for an answer to count.
    pub fn security_versions(&self) -> impl Iterator<Item = u64> {
        self.each().map(Rights::security_version)
    }

    /// Which rows of `table` are reached with the right `kind`.
    ///
    /// For a table without security of its own (lines, intersects) Create answers which parent rows a new row may hang
    /// on: have the store test each parent row against the entry of its lookup and table.
    ///
    /// # Errors
    /// When the privilege gate fails: no list is then an empty list (security model 5.1).
    pub fn rows(&self, table: &Table, kind: PrivilegeKind) -> Result<RowAccess, Denied> {
        let each: Result<Vec<RowAccess>, Denied> = self.each().map(|rights| rights.rows(table, kind, 0)).collect();
        Ok(RowAccess::every(each?))
    }

    /// Whether the column may be read, on every row. If not, it behaves as null everywhere, without an error, but where
    /// [`Self::shared_columns`] has it.
    #[must_use]
    pub fn reads_column(&self, table: &Table, column: ColumnId) -> bool {
        self.each().all(|rights| rights.reads_column_in_clear(table.id, column, self.unmasking))
    }

    /// Whether the column may be read on some rows at least: on all, or on those of [`Self::shared_columns`].
    #[must_use]
    pub fn reads_column_somewhere(&self, table: &Table, column: ColumnId) -> bool {
        self.each().all(|rights| {
            rights.reads_column_in_clear(table.id, column, self.unmasking)
                || rights.column_needs(table.id, column, self.unmasking).is_some()
        })
    }

    /// The columns that are null but on those rows on which they were shared, each once. Mostly none, which costs nothing.
    #[must_use]
    pub fn shared_columns(&self, table: &Table) -> Vec<SharedColumn> {
        let mut found: Vec<SharedColumn> = Vec::new();
        for column in self.each().flat_map(|rights| rights.shared_columns(table.id, self.unmasking)) {
            let is_known = found.iter().any(|known| known.column == column);
            if is_known || !self.reads_column_somewhere(table, column) {
                continue;
            }
            let needs = self.each().flat_map(|rights| {
                let needs = rights.column_needs(table.id, column, self.unmasking).unwrap_or_default();
                needs.iter().map(|column| ColumnShare { user: rights.user_id(), column: *column })
            });
            found.push(SharedColumn { column, needs: needs.collect() });
        }
        found
    }

    /// The rule by which a column shows that is closed but for masked showing: everyone involved reads it, and not all of
    /// them in clear.
    #[must_use]
    pub fn mask(&self, table: &Table, column: ColumnId) -> Option<Arc<Mask>> {
        let mask = |rights: &Rights| rights.mask(table.id, column, self.unmasking).cloned();
        let shows =
            |rights: &Rights| rights.reads_column_in_clear(table.id, column, self.unmasking) || mask(rights).is_some();
        if self.each().all(shows) { self.each().find_map(mask) } else { None }
    }

    /// Of everyone involved, those who may not change the column, unless it was shared with them on that row.
    pub fn closed_to_update(&self, table: &Table, column: ColumnId) -> impl Iterator<Item = Guid> {
        let table = table.id;
        self.each().filter(move |rights| !rights.updates_column(table, column)).map(Rights::user_id)
    }

    /// Whether the column may be given a value when a row is created.
    #[must_use]
    pub fn creates_column(&self, table: &Table, column: ColumnId) -> bool {
        self.each().all(|rights| rights.creates_column(table.id, column))
    }

    /// Whether the column of an existing row may be changed.
    #[must_use]
    pub fn updates_column(&self, table: &Table, column: ColumnId) -> bool {
        self.each().all(|rights| rights.updates_column(table.id, column))
    }

    /// That all columns a create mentions may be set; null counts as a mention.
    ///
    /// # Errors
    /// The first secured column that may not be set.
    pub fn check_created_columns(
        &self,
        table: &Table,
        columns: impl IntoIterator<Item = ColumnId>,
    ) -> Result<(), Denied> {
        match columns.into_iter().find(|&column| !self.creates_column(table, column)) {
            None => Ok(()),
            Some(column) => {
                let (user, table, column) = self.about_column(table, column);
                Err(Denied::ColumnCreate { user, table, column })
            }
        }
    }

    /// That all columns an update mentions may be changed; null counts as a mention. Reading them is not needed.
    ///
    /// # Errors
    /// The first secured column that may not be changed.
    pub fn check_updated_columns(
        &self,
        table: &Table,
        columns: impl IntoIterator<Item = ColumnId>,
    ) -> Result<(), Denied> {
        match columns.into_iter().find(|&column| !self.updates_column(table, column)) {
            None => Ok(()),
            Some(column) => {
                let (user, table, column) = self.about_column(table, column);
                Err(Denied::ColumnUpdate { user, table, column })
            }
        }
    }

    /// That a column of a record may be given to somebody: nobody gives what they lack, and what was itself shared is not
    /// passed on (security model 8.5).
    ///
    /// # Errors
    /// When what is given is not held on every row.
    pub fn check_gives_column(
        &self,
        table: &Table,
        column: ColumnId,
        reads: bool,
        updates: bool,
    ) -> Result<(), Denied> {
        let (user, table_name, column_name) = self.about_column(table, column);
        if reads && !self.reads_column(table, column) {
            return Err(Denied::ColumnShareRead { user, table: table_name, column: column_name });
        }
        if updates && !self.updates_column(table, column) {
            return Err(Denied::ColumnShareUpdate { user, table: table_name, column: column_name });
        }
        Ok(())
    }

    fn about_column(&self, table: &Table, column: ColumnId) -> (Guid, String, String) {
        let column = table.column_by_id(column).map_or_else(|| column.to_string(), |column| column.name.clone());
        (self.user_id().unwrap_or_default(), table.name.clone(), column)
    }

    /// Whether a privilege of that name is held, by everyone involved.
    #[must_use]
    pub fn holds(&self, privilege: &str) -> bool {
        self.each().all(|rights| rights.admitted().is_ok() && rights.holds(privilege))
    }

    /// That a privilege that belongs to no table is held.
    ///
    /// # Errors
    /// When somebody involved lacks it, is disabled or has no role.
    pub fn check_privilege(&self, privilege: &str) -> Result<(), Denied> {
        self.each().try_for_each(|rights| {
            rights.admitted()?;
            if rights.holds(privilege) {
                return Ok(());
            }
            Err(Denied::MissingPrivilege { user: rights.user_id(), privilege: privilege.to_owned(), table: None })
        })
    }

    /// That a role with this privilege at this level may be given to a user or team in `unit`: nobody can give what they
    /// lack, nor let others reach further than they reach themselves.
    ///
    /// # Errors
    /// When somebody involved does not reach as far.
    pub fn check_gives(&self, privilege: &NamedPrivilege, level: Level, unit: &UnitPath) -> Result<(), Denied> {
        self.each().try_for_each(|rights| {
            rights.admitted()?;
            if rights.covers(privilege, level, unit) {
                return Ok(());
            }
            Err(Denied::GivesMoreThanHeld { user: rights.user_id(), privilege: privilege.name.clone() })
        })
    }

    /// That it may be decided who reads and sets secured columns: nobody can open a column that may be closed to them.
    ///
    /// # Errors
    /// When not every column, those secured later included, is open to everyone involved.
    pub fn check_opens_columns(&self) -> Result<(), Denied> {
        self.each().try_for_each(|rights| {
            rights.admitted()?;
            if rights.opens_all_columns() { Ok(()) } else { Err(Denied::OpensColumns { user: rights.user_id() }) }
        })
    }

    /// Exchanges the store's answer about one row for a permit. `reached`: whether the row satisfies what
    /// [`Authority::rows`] gave for the same table and kind.
    ///
    /// # Errors
    /// When the privilege gate fails or the row is not reached.
    pub fn permit_row(&self, kind: PrivilegeKind, table: &Table, reached: bool) -> Result<Permit, Denied> {
        self.rows(table, kind)?;
        if reached { Ok(Permit::new(table, kind)) } else { Err(self.row_not_reached(kind, table)) }
    }

    /// Whether a new row may be made in this place (security model 5.4). Making it for somebody else than
    /// the acting user or one of the user's teams also needs Assign at any level, and the new owner needs Read.
    ///
    /// # Errors
    /// When the privilege gate fails, the level does not reach the place, or the owner may not own such rows.
    pub fn permit_create(&self, table: &Table, place: Place<'_>) -> Result<Permit, Denied> {
        self.check_place(PrivilegeKind::Create, table, place)?;
        if let (Place::Owner(owner) | Place::OwnerIn(owner, _), Some(acting)) = (place, self.user_id())
            && owner.id() != acting
        {
            new_owner_may_hold(owner, table)?;
            if !owner.members.contains(&acting) {
                self.each().try_for_each(|rights| rights.gate(table, PrivilegeKind::Assign).map(|_| ()))?;
            }
        }
        Ok(Permit::new(table, PrivilegeKind::Create))
    }

    /// Whether lookups may be set on a row that is being made in this place: Append has to reach there as Create does.
    ///
    /// # Errors
    /// When the privilege gate fails or the level does not reach the place.
    pub fn check_append_new(&self, table: &Table, place: Place<'_>) -> Result<(), Denied> {
        match append_kind(table) {
            PrivilegeKind::Append => self.check_place(PrivilegeKind::Append, table, place),
            // No such privilege: Create stands for it, and is checked anyway.
            _ => Ok(()),
        }
    }

    fn check_place(&self, kind: PrivilegeKind, table: &Table, place: Place<'_>) -> Result<(), Denied> {
        let Some(acting) = self.user_id() else { return Ok(()) };
        if !place.fits(table) {
            return Err(Denied::NotApplicable { table: table.name.clone(), right: kind });
        }
        for rights in self.each() {
            let grants = match table.security {
                // The gate is the parent's; `Place::Following` says whether the parent row is reached.
                RowSecurity::Parent { .. } | RowSecurity::Intersect => {
                    rights.rows(table, kind, 0)?;
                    &[]
                }
                RowSecurity::Owned { .. } | RowSecurity::Unit { .. } | RowSecurity::Organization => {
                    rights.gate(table, kind)?
                }
            };
            if !place.reached_by(grants, rights.user_id(), acting) {
                let user = rights.user_id();
                return Err(Denied::PlaceNotReached { user, right: kind, table: table.name.clone() });
            }
        }
        Ok(())
    }

    /// Whether a row may be given to `owner`. `reached`: the rights the store found the caller to have on the row as it
    /// is, of which Assign and Write are needed.
    ///
    /// # Errors
    /// When a gate fails, the row is not reached, or the owner may not own such rows.
    pub fn permit_assign(&self, table: &Table, reached: RightsMask, owner: &OwnerFacts) -> Result<Permit, Denied> {
        if !matches!(table.security, RowSecurity::Owned { .. }) {
            return Err(Denied::NotApplicable { table: table.name.clone(), right: PrivilegeKind::Assign });
        }
        for kind in [PrivilegeKind::Assign, PrivilegeKind::Write] {
            let _checked = self.permit_row(kind, table, reached.contains(RightsMask::of(kind)))?;
        }
        new_owner_may_hold(owner, table)?;
        Ok(Permit::new(table, PrivilegeKind::Assign))
    }

    /// Whether a row may be put into another unit while its owner stays: Assign and Write on the row as it is, and Assign at
    /// a level that reaches the unit (docs/security-choices.md). `reached`: as for [`Authority::permit_assign`].
    ///
    /// # Errors
    /// When a gate fails, or the row or the unit is not reached.
    pub fn check_row_into(&self, table: &Table, reached: RightsMask, unit: &UnitPath) -> Result<(), Denied> {
        for kind in [PrivilegeKind::Assign, PrivilegeKind::Write] {
            let _checked = self.permit_row(kind, table, reached.contains(RightsMask::of(kind)))?;
        }
        self.each().try_for_each(|rights| {
            let grants = rights.gate(table, PrivilegeKind::Assign)?;
            if grants.iter().any(|grant| covers_unit(grant, unit)) {
                return Ok(());
            }
            let (user, right) = (rights.user_id(), PrivilegeKind::Assign);
            Err(Denied::PlaceNotReached { user, right, table: table.name.clone() })
        })
    }

    /// Whether a row may be shared with the rights `requested`. `held`: the rights the store found the caller to have
    /// on the row; Share is needed, and nobody can hand out rights they lack. To revoke, ask for
    /// [`Authority::permit_row`] with Share.
    ///
    /// # Errors
    /// When the mask is none, the gate fails, the row may not be shared, or more is asked for than held.
    pub fn permit_share(&self, table: &Table, held: RightsMask, requested: RightsMask) -> Result<Permit, Denied> {
        if requested.is_empty() || !requested.is_valid() {
            return Err(Denied::InvalidMask { mask: requested });
        }
        let permit =
            self.permit_row(PrivilegeKind::Share, table, held.contains(RightsMask::of(PrivilegeKind::Share)))?;
        let missing = requested.without(held);
        match self.user_id() {
            Some(user) if !missing.is_empty() => {
                Err(Denied::SharesMoreThanHeld { user, missing, table: table.name.clone() })
            }
            _ => Ok(permit),
        }
    }

    fn row_not_reached(&self, right: PrivilegeKind, table: &Table) -> Denied {
        Denied::RowNotReached { user: self.user_id().unwrap_or_default(), right, table: table.name.clone() }
    }
}
