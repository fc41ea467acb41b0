//! Telling how a column stands to a user: which secured columns are behind it, and which profiles and shares open them.
//! The verdict is that of the user's rights; profiles and shares are read here once more, from the records.

use std::sync::Arc;

use custodia_access::{Authority, Rights};
use custodia_query::{Filter, Path};
use custodia_schema::{ColumnId, Guid, PrivilegeKind, Value, column_description_id};
use custodia_store::ADMINISTRATOR_PROFILE;

use super::{ColumnOpening, Explaining, Named};
use crate::column_sharing::COLUMN_SHARES;
use crate::error::{Error, Result};
use crate::model;

impl Explaining<'_> {
    /// How the column that was asked about stands; what is missing is added to what is missing otherwise.
    pub(super) async fn column(
        &self,
        rights: &Arc<Rights>,
        column: ColumnId,
        missing: &mut Vec<String>,
    ) -> Result<ColumnOpening> {
        let found = self.table.column_by_id(column);
        let found = found.ok_or_else(|| Error::Invalid("there is no such column".to_owned()))?;
        let table = self.table.id;
        let opened = |column: ColumnId| match self.question.right {
            PrivilegeKind::Read => Some(rights.reads_column(table, column)),
            PrivilegeKind::Create => Some(rights.creates_column(table, column)),
            PrivilegeKind::Write => Some(rights.updates_column(table, column)),
            _ => None,
        };
        let reads = self.question.right == PrivilegeKind::Read;
        let Some(mut allowed) = opened(column) else {
            return Err(Error::Invalid("a column is read, created or written: no other right has columns".to_owned()));
        };
        let masked = reads && !allowed && Authority::user(Arc::clone(rights)).mask(self.table, column).is_some();
        let secured = self.secured_behind(column);
        let mut profiles = Vec::new();
        // Which profiles there are is told to whoever may read profiles.
        let told = self
            .general
            .asking
            .rows(model::table(self.general.schema, "fieldsecurityprofile")?, PrivilegeKind::Read)
            .is_ok();
        for profile in self.profiles().await?.into_iter().filter(|_| told) {
            if self.opens(profile, &secured).await? {
                profiles.push(self.general.named("fieldsecurityprofile", profile).await?);
            }
        }
        let mut shared_with = Vec::new();
        if let Some(record) = self.question.record.filter(|_| !allowed && !masked) {
            let closed = secured.iter().filter(|source| opened(**source) == Some(false));
            let needed: Vec<ColumnId> = if reads { closed.copied().collect() } else { vec![column] };
            let mut all = !needed.is_empty();
            let is_masked = |source| {
                self.general.facts.masked_columns.iter().any(|masked| masked.table == table && masked.column == source)
            };
            for source in needed {
                // What was shared of a masked column opens nothing.
                let with = match reads && is_masked(source) {
                    true => Vec::new(),
                    false => self.column_shares(record, source).await?,
                };
                all &= !with.is_empty();
                shared_with.extend(with);
            }
            allowed = all;
        }
        allowed |= masked;
        if !allowed {
            let names: Vec<&str> =
                secured.iter().filter_map(|source| Some(self.table.column_by_id(*source)?.name.as_str())).collect();
            missing.push(format!(
                "The column {} is secured{}, and no profile of the user opens it for this.",
                found.name,
                if names == [found.name.as_str()] { String::new() } else { format!(" with {}", names.join(", ")) }
            ));
        }
        Ok(ColumnOpening { allowed, secured: !secured.is_empty(), masked, profiles, shared_with })
    }

    /// The secured columns that this one is or shows something of, over any number of steps.
    fn secured_behind(&self, column: ColumnId) -> Vec<ColumnId> {
        let mut seen = vec![column];
        let mut at = 0;
        while let Some(column) = seen.get(at).and_then(|id| self.table.column_by_id(*id)) {
            let new: Vec<ColumnId> = column.sources().filter(|source| !seen.contains(source)).collect();
            seen.extend(new);
            at += 1;
        }
        let is_secured = |id: &ColumnId| self.table.column_by_id(*id).is_some_and(|column| column.secured);
        seen.retain(is_secured);
        seen
    }

    /// Whether a profile says that one of these columns may be used for what was asked.
    async fn opens(&self, profile: Guid, columns: &[ColumnId]) -> Result<bool> {
        if columns.is_empty() {
            return Ok(false);
        }
        if profile == ADMINISTRATOR_PROFILE {
            return Ok(true);
        }
        let permissions = model::table(self.general.schema, "fieldpermission")?;
        let said = match self.question.right {
            PrivilegeKind::Create => "cancreate",
            PrivilegeKind::Write => "canupdate",
            _ => "canread",
        };
        let names = columns.iter().filter_map(|column| Some(self.table.column_by_id(*column)?.name.clone()));
        let filter = Filter::And(vec![
            Filter::equal(model::column(permissions, "fieldsecurityprofileid")?, Value::Guid(profile)),
            Filter::equal(model::column(permissions, "entityname")?, Value::Text(self.table.name.clone())),
            Filter::In {
                path: Path::own(model::column(permissions, "attributelogicalname")?),
                values: names.map(Value::Text).collect(),
            },
            Filter::equal(model::column(permissions, said)?, Value::Integer(4)),
        ]);
        Ok(!self.rows("fieldpermission", filter, &["fieldpermissionid"]).await?.is_empty())
    }

    /// The profiles of the user, direct and through teams.
    async fn profiles(&self) -> Result<Vec<Guid>> {
        let user = vec![Value::Guid(self.general.of.id())];
        let mut profiles = self.ids("systemuserprofiles", "systemuserid", user, "fieldsecurityprofileid").await?;
        let teams = self.teams().await?.into_iter().map(Value::Guid).collect();
        profiles.extend(self.ids("teamprofiles", "teamid", teams, "fieldsecurityprofileid").await?);
        if self.general.facts.all_columns {
            profiles.push(ADMINISTRATOR_PROFILE);
        }
        profiles.sort_unstable();
        profiles.dedup();
        Ok(profiles)
    }

    /// The user or the teams of theirs with whom a column of a record was shared for what was asked.
    async fn column_shares(&self, record: Guid, column: ColumnId) -> Result<Vec<Named>> {
        let Some(column) = self.table.column_by_id(column) else { return Ok(Vec::new()) };
        let shares = model::table(self.general.schema, COLUMN_SHARES)?;
        let said = if self.question.right == PrivilegeKind::Read { "readaccess" } else { "updateaccess" };
        let mut principals = self.teams().await?;
        principals.push(self.general.of.id());
        let filter = Filter::And(vec![
            Filter::equal(model::column(shares, "objectid")?, Value::Lookup(self.table.id, record)),
            Filter::equal(
                model::column(shares, "attributeid")?,
                Value::Guid(column_description_id(self.table, column)),
            ),
            Filter::equal(model::column(shares, said)?, Value::Boolean(true)),
        ]);
        let mut found = Vec::new();
        for row in self.rows(COLUMN_SHARES, filter, &["principalid"]).await? {
            let with = row.first().and_then(Value::guid).filter(|with| principals.contains(with));
            if let Some(with) = with {
                found.push(self.general.principal(with).await?);
            }
        }
        Ok(found)
    }
}
