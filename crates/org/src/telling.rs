//! Telling what somebody may do: the rights of a user or team on one record, and the privileges of a user.

use std::collections::BTreeMap;
use std::sync::Arc;

use custodia_access::{Authority, Denied, Rights, RightsMask, RowAccess};
use custodia_query::Query;
use custodia_schema::{ColumnId, Guid, Level, NamedPrivilege, PrivilegeKind, Table, TableId};
use custodia_store::{Head, ReadPolicy, RowKey, retry_stale};

use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::model;
use crate::organization::Organization;
use crate::reading::Policy;

/// Somebody who can have rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A user, with what comes through teams.
    User(Guid),
    /// A team by itself: its roles, what it owns, what is shared with it.
    Team(Guid),
}

impl Principal {
    /// Its id.
    #[must_use]
    pub fn id(self) -> Guid {
        match self {
            Self::User(id) | Self::Team(id) => id,
        }
    }

    /// Logical name of the table that it is a record of.
    #[must_use]
    pub fn table_name(self) -> &'static str {
        match self {
            Self::User(_) => "systemuser",
            Self::Team(_) => "team",
        }
    }
}

/// One privilege that a user holds.
#[derive(Clone, Debug)]
pub struct HeldPrivilege {
    /// Which one.
    pub privilege: NamedPrivilege,
    /// The highest level at which it is held from the unit.
    pub level: Level,
    /// The business unit that the level is measured from.
    pub unit: Guid,
}

impl Organization {
    /// Which rights a user or team has on one record, from whatever source. A team without roles has none, whatever is shared
    /// with it: its members need the privilege from elsewhere.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Denied`] when the caller may not read the record.
    pub async fn principal_access(
        &self,
        caller: &Caller,
        principal: Principal,
        table: TableId,
        id: Guid,
    ) -> Result<RightsMask> {
        let schema = self.schema();
        let table = schema.table(table).ok_or_else(|| Error::Invalid("there is no such table".to_owned()))?;
        self.told_fresh(&caller.users(), || self.principal_access_once(caller, principal, table, id)).await
    }

    /// Asks again while the rights of one of these users are of another version than what was read with them. They are those
    /// on whose rights a refusal may rest: of somebody else's nothing need be known by then.
    pub(crate) async fn told_fresh<T, F>(&self, users: &[Guid], ask: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        retry_stale(|| async {
            let answer = ask().await;
            if self.is_outdated(users, &answer).await? {
                Err(Error::Store(custodia_store::Error::Stale))
            } else {
                answer
            }
        })
        .await
    }

    /// Refuses a caller who may act for nobody else. What headers name is looked up for others alone.
    ///
    /// # Errors
    /// [`Error::Denied`]; store errors.
    pub async fn check_acts_for_others(&self, caller: &Caller) -> Result<()> {
        self.told_fresh(&[caller.user], || async {
            let rights = Authority::user(self.rights(caller.user).await?);
            self.check_fresh(&rights, self.shared.database.head().await?.versions)?;
            Ok(rights.single().map_or(Ok(()), |rights| rights.check_acts_for_others())?)
        })
        .await
    }

    async fn principal_access_once(
        &self,
        caller: &Caller,
        principal: Principal,
        table: &Table,
        id: Guid,
    ) -> Result<RightsMask> {
        let asking = self.authority(caller).await?;
        let head = self.check_reads(caller, &asking, table, id).await?;
        let rights = Authority::user(match principal {
            Principal::User(user) => self.rights(user).await?,
            Principal::Team(team) => self.team_rights(team).await?,
        });
        if let Err(stale) = self.check_fresh(&rights, head.versions) {
            // The rights of teams are not kept.
            if let Principal::User(user) = principal {
                self.forget_rights(&[user]);
            }
            return Err(stale);
        }
        let query = Query::of_row(table, &RowKey::Id(id));
        let mut held = RightsMask::NONE;
        for kind in PrivilegeKind::ALL {
            let access = match rights.rows(table, kind) {
                Ok(access) => access,
                Err(_) => continue,
            };
            let reach = Reach { access, table: table.id };
            let (rows, _) = self.shared.database.rows(&query, &reach).await?;
            if !rows.is_empty() {
                held = held.union(RightsMask::of(kind));
            }
        }
        Ok(held)
    }

    /// The privileges of a user from all roles, direct and through teams, by name: each once for each business unit that its
    /// level is measured from. Everybody may ask for their own; for those of others the caller has to read the user and
    /// roles.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Denied`]; store errors.
    pub async fn user_privileges(&self, caller: &Caller, user: Guid) -> Result<Vec<HeldPrivilege>> {
        self.told_fresh(&caller.users(), || self.user_privileges_once(caller, user)).await
    }

    async fn user_privileges_once(&self, caller: &Caller, user: Guid) -> Result<Vec<HeldPrivilege>> {
        let authority = self.authority(caller).await?;
        let head = self.check_tells_of(caller, &authority, Principal::User(user)).await?;
        let facts = self.facts_as_of(Principal::User(user), &head).await?;
        let schema = self.schema();
        let mut held: BTreeMap<(&str, Guid), Level> = BTreeMap::new();
        for role in facts.roles.iter().chain(facts.team_roles.iter().map(|held| &held.role)) {
            for granted in &role.privileges {
                let level = held.entry((&granted.name, role.base_unit)).or_insert(granted.level);
                *level = granted.level.max(*level);
            }
        }
        let named = held.into_iter().filter_map(|((name, unit), level)| {
            let privilege = schema.privilege_named(name)?.clone();
            let level = allowed_level(&privilege, level);
            Some(HeldPrivilege { privilege, level, unit })
        });
        Ok(named.collect())
    }

    /// That the caller may be told what a user or team holds: that of others takes reading the user or team and roles. The head
    /// that this was read at.
    pub(crate) async fn check_tells_of(&self, caller: &Caller, authority: &Authority, of: Principal) -> Result<Head> {
        if caller.users() == [of.id()] {
            let head = self.shared.database.head().await?;
            self.check_fresh(authority, head.versions)?;
            authority.acting().map_or(Ok(()), Rights::admitted)?;
            return Ok(head);
        }
        let schema = self.schema();
        authority.rows(model::table(&schema, "role")?, PrivilegeKind::Read)?;
        self.check_reads(caller, authority, model::table(&schema, of.table_name())?, of.id()).await
    }

    /// That the caller may read a record; the head that this was read at.
    pub(crate) async fn check_reads(
        &self,
        caller: &Caller,
        authority: &Authority,
        table: &Table,
        id: Guid,
    ) -> Result<Head> {
        let key = RowKey::Id(id);
        let (rows, head) = self.shared.database.rows(&Query::of_row(table, &key), &Policy(authority)).await?;
        self.check_fresh(authority, head.versions)?;
        if rows.is_empty() {
            return Err(self.explain_missing(caller, table, &key).await);
        }
        Ok(head)
    }

    async fn team_rights(&self, team: Guid) -> Result<Arc<Rights>> {
        let facts = self.shared.database.team_facts(team).await?;
        let facts = facts.ok_or_else(|| Error::NotFound { table: "team".to_owned(), id: team })?;
        Ok(Arc::new(Rights::build(&self.schema(), &facts)))
    }
}

/// The level that a privilege has where a role grants it this one: the highest it may take up to there, or its lowest.
pub(crate) fn allowed_level(privilege: &NamedPrivilege, granted: Level) -> Level {
    let up_to = privilege.levels.iter().copied().filter(|level| *level <= granted).max();
    up_to.or_else(|| privilege.levels.iter().copied().min()).unwrap_or(granted)
}

/// A policy that lets through what one right reaches on one table.
pub(crate) struct Reach {
    pub access: RowAccess,
    pub table: TableId,
}

impl ReadPolicy for Reach {
    fn rows(&self, table: &Table, _: PrivilegeKind) -> std::result::Result<RowAccess, Denied> {
        Ok(if table.id == self.table { self.access.clone() } else { RowAccess::All })
    }

    fn reads_column(&self, _: &Table, _: ColumnId) -> bool {
        true
    }
}
