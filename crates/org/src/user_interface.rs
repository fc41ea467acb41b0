//! Which forms, views and navigation somebody gets. They hide nothing: a column that is on no form is read all the same, and
//! a form that is bound to a role gives no right.

use std::collections::HashSet;

use custodia_access::{Authority, Rights};
use custodia_interface::{
    Cell, Control, Form, FormHead, FormKind, Holder, Navigation, Purpose, View, ViewHead, ViewKind, ViewTexts,
    asked_tables, definition_id, read_form, read_navigation, read_view, standard, visible_forms,
};
use custodia_query::fetchxml::Fetch;
use custodia_query::odata::Limits as QueryLimits;
use custodia_query::operator::Asker;
use custodia_query::{Filter, Query};
use custodia_schema::{Guid, PrivilegeKind, Schema, Table, Value, builtin_roles};
use custodia_store::RowKey;

use crate::caller::Caller;
use crate::definitions::{FORM_COLUMNS, active_forms};
use crate::error::{Error, Result};
use crate::model;
use crate::organization::Organization;
use crate::reading::Rows;

/// The built-in role that, beside System Administrator, sees every form.
pub(crate) const CUSTOMIZER: &str = "System Customizer";

/// Forms and views of one table, as a caller gets them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableInterface {
    /// The main forms in order, the default first.
    pub main: Vec<Form>,
    /// Forms of the other kinds, which are not bound to roles: by kind, then by name.
    pub others: Vec<Form>,
    /// Views that the caller may run, by name; the caller's own among them.
    pub views: Vec<View>,
    /// There are more views than are told ([`crate::WorkLimits::table_views`]).
    pub more_views: bool,
}

/// Views as far as they are told.
#[derive(Default)]
struct ToldViews {
    views: Vec<View>,
    /// There are more.
    more: bool,
}

impl Organization {
    /// The active forms of one kind that a user gets, in order; of main forms the first is the default. Everybody may ask for
    /// their own; for those of others the caller has to read the user and roles.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Denied`]; store errors.
    pub async fn filtered_forms(
        &self,
        caller: &Caller,
        table: &Table,
        kind: FormKind,
        user: Option<Guid>,
    ) -> Result<Vec<Form>> {
        let holder = self.holder(caller, user.unwrap_or_else(|| caller.acting())).await?;
        Ok(chosen(self.stored_forms(table, &[kind]).await?, &holder))
    }

    /// The forms and views of a table that a caller gets: no sub-grid and no view of what the caller may not read.
    ///
    /// # Errors
    /// [`Error::Denied`] when the user is disabled or has no role; store errors.
    pub async fn table_interface(&self, caller: &Caller, table: &Table) -> Result<TableInterface> {
        let holder = self.holder(caller, caller.acting()).await?;
        let (schema, authority) = (self.schema(), self.authority(caller).await?);
        let sight = Sight { schema: &schema, authority: &authority, limits: &self.shared.limits.definitions };
        let (mut main, mut others) = (Vec::new(), Vec::new());
        if sight.holds(&table.name, PrivilegeKind::Read) || sight.holds(&table.name, PrivilegeKind::Create) {
            let kinds = FormKind::ALL.map(|(kind, _)| kind);
            let forms = self.stored_forms(table, &kinds).await?;
            let (bound, free) = forms.into_iter().partition(|form| form.kind == FormKind::Main);
            main = chosen(bound, &holder);
            others = chosen(free, &holder);
            others.sort_by_key(|form| form.kind.code());
            for form in main.iter_mut().chain(&mut others) {
                sight.prune(form);
            }
        }
        let (mut views, mut more_views) = (Vec::new(), false);
        if sight.holds(&table.name, PrivilegeKind::Read) {
            let (stored, own) = (self.stored_views(table).await?, self.own_views(caller, table).await?);
            more_views = stored.more || own.more;
            views = stored.views;
            views.extend(own.views);
            views.retain(|view| sight.can_run(view, caller));
            views.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        }
        Ok(TableInterface { main, others, views, more_views })
    }

    /// The navigation that a caller gets: what leads to a table that the caller may not read, or asks for a right that the
    /// caller does not hold, is left out, and so are groups and areas without anything in them.
    ///
    /// # Errors
    /// As [`Self::table_interface`].
    pub async fn navigation(&self, caller: &Caller) -> Result<Navigation> {
        let authority = self.authority(caller).await?;
        let versions = self.shared.database.head().await?.versions;
        self.check_fresh(&authority, versions)?;
        authority.acting().map_or(Ok(()), Rights::admitted)?;
        let schema = self.shared.database.schema_as_of(versions).await?;
        let mut navigation = self.stored_navigation(&schema).await?;
        let sight = Sight { schema: &schema, authority: &authority, limits: &self.shared.limits.definitions };
        for area in &mut navigation.areas {
            for group in &mut area.groups {
                group.items.retain(|item| {
                    let needed = item.privileges.iter().flat_map(|needed| {
                        needed.rights.iter().map(move |right| (needed.table.as_str(), right.as_str()))
                    });
                    let table = item.table.as_deref().map(|table| (table, PrivilegeKind::Read.word()));
                    needed.chain(table).all(|(table, right)| sight.holds_named(table, right))
                });
            }
            area.groups.retain(|group| !group.items.is_empty());
        }
        navigation.areas.retain(|area| !area.groups.is_empty());
        Ok(navigation)
    }

    /// What decides which forms a user gets.
    async fn holder(&self, caller: &Caller, user: Guid) -> Result<Holder> {
        self.told_fresh(&caller.users(), || self.holder_once(caller, user)).await
    }

    async fn holder_once(&self, caller: &Caller, user: Guid) -> Result<Holder> {
        let authority = self.authority(caller).await?;
        let schema = self.schema();
        if user == caller.acting() {
            self.check_fresh(&authority, self.shared.database.head().await?.versions)?;
            authority.acting().map_or(Ok(()), Rights::admitted)?;
        } else {
            authority.rows(model::table(&schema, "role")?, PrivilegeKind::Read)?;
            self.check_reads(caller, &authority, model::table(&schema, "systemuser")?, user).await?;
        }
        let facts = self.shared.database.user_facts(user).await?;
        let facts = facts.ok_or_else(|| Error::NotFound { table: "systemuser".to_owned(), id: user })?;
        let through_teams = facts.team_roles.iter().map(|held| &held.role);
        let roots: HashSet<Guid> = facts.roles.iter().chain(through_teams).map(|role| role.root).collect();
        let sees_all = builtin_roles()
            .iter()
            .any(|role| (role.is_administrator() || role.name == CUSTOMIZER) && roots.contains(&role.root_id));
        Ok(Holder { roots, sees_all })
    }

    /// Whether an organisation has a table of definitions; until somebody uses it, what the program brings along holds.
    async fn has_definitions(&self, name: &str) -> Result<Option<std::sync::Arc<Table>>> {
        let versions = self.shared.database.head().await?.versions;
        let schema = self.shared.database.schema_as_of(versions).await?;
        let table = model::table(&schema, name)?;
        Ok(self.shared.database.has_table(table.id).then(|| table.clone()))
    }

    /// The active forms of a table. Some of them would be the wrong ones: which one a user gets, all decide together.
    pub(crate) async fn stored_forms(&self, table: &Table, kinds: &[FormKind]) -> Result<Vec<Form>> {
        let Some(forms) = self.has_definitions("systemform").await? else {
            let shipped = standard().forms.iter().filter(|form| form.table == table.name && kinds.contains(&form.kind));
            return Ok(shipped.cloned().collect());
        };
        let limit = self.shared.limits.table_forms;
        let query = active_forms(&forms, &table.name, kinds, limit)?.showing(model::columns(&forms, FORM_COLUMNS)?);
        let (rows, _) = self.shared.platform_rows("forms for a user", &query).await?;
        if rows.len() > limit as usize {
            return Err(Error::Invalid(format!(
                "table '{}' has more than {limit} active forms; deactivate some of them",
                table.name
            )));
        }
        let schema = self.schema();
        let mut found = Vec::new();
        for row in &rows {
            let [Value::Guid(id), Value::Text(name), kind, Value::Text(xml), ..] = row.as_slice() else { continue };
            let Some(kind) = small(kind).and_then(FormKind::of_code) else { continue };
            let head = FormHead { id: *id, table, kind, name };
            // It was checked when it was stored: what cannot be read any more is shown to nobody.
            found.extend(read_form(&schema, head, xml, Purpose::Show, &self.shared.limits.definitions));
        }
        Ok(found)
    }

    /// The active views of a table that the organisation has.
    async fn stored_views(&self, table: &Table) -> Result<ToldViews> {
        let Some(views) = self.has_definitions("savedquery").await? else {
            let views = standard().views.iter().filter(|view| view.table == table.name).cloned().collect();
            return Ok(ToldViews { views, more: false });
        };
        let limit = self.shared.limits.table_views;
        let shown = ["name", "querytype", "isdefault", "fetchxml", "layoutxml"];
        let mut query = Query::of(&views, limit).showing(model::columns(&views, &shown)?);
        query.filter = Filter::And(vec![
            Filter::equal(model::column(&views, "returnedtypecode")?, Value::Text(table.name.clone())),
            Filter::equal(model::column(&views, "statecode")?, Value::Integer(0)),
        ]);
        let (rows, _) = self.shared.platform_rows("views for a user", &query).await?;
        let mut found = Vec::new();
        for row in rows.iter().take(limit as usize) {
            let [Value::Guid(id), Value::Text(name), kind, default, texts @ ..] = row.as_slice() else { continue };
            let Some(kind) = small(kind).and_then(ViewKind::of_code) else { continue };
            let head = ViewHead { id: *id, table, name, kind, default: *default == Value::Boolean(true) };
            found.extend(self.view(head, texts));
        }
        Ok(ToldViews { views: found, more: rows.len() > limit as usize })
    }

    /// The views that the caller made or was given.
    async fn own_views(&self, caller: &Caller, table: &Table) -> Result<ToldViews> {
        let Some(views) = self.has_definitions("userquery").await? else { return Ok(ToldViews::default()) };
        let limit = self.shared.limits.table_views;
        let mut query = Query::of(&views, limit).showing(model::columns(&views, &["name", "fetchxml", "layoutxml"])?);
        query.filter = Filter::And(vec![
            Filter::equal(model::column(&views, "returnedtypecode")?, Value::Text(table.name.clone())),
            Filter::equal(model::column(&views, "statecode")?, Value::Integer(0)),
        ]);
        let mut rows = Rows::default();
        match self.query(caller, &query, &mut rows).await {
            Ok(_) => {}
            // Who may have no views of their own has none.
            Err(Error::Denied(_)) => return Ok(ToldViews::default()),
            Err(error) => return Err(error),
        }
        let mut found = Vec::new();
        for row in rows.rows.iter().take(limit as usize) {
            let [Value::Guid(id), Value::Text(name), texts @ ..] = row.as_slice() else { continue };
            let head = ViewHead { id: *id, table, name, kind: ViewKind::Personal, default: false };
            found.extend(self.view(head, texts));
        }
        Ok(ToldViews { views: found, more: rows.rows.len() > limit as usize })
    }

    /// A view of its query and layout; `None` when they cannot be read any more.
    fn view(&self, head: ViewHead<'_>, texts: &[Value]) -> Option<View> {
        let [Value::Text(fetch), rest @ ..] = texts else { return None };
        let layout = match rest.first() {
            Some(Value::Text(layout)) => Some(layout.as_str()),
            _ => None,
        };
        let texts = ViewTexts { fetch, layout };
        read_view(&self.schema(), head, texts, Purpose::Show, &self.shared.limits.definitions).ok()
    }

    /// The navigation as it is stored.
    async fn stored_navigation(&self, schema: &Schema) -> Result<Navigation> {
        let Some(maps) = self.has_definitions("sitemap").await? else { return Ok(standard().navigation.clone()) };
        let key = RowKey::Id(definition_id("sitemap", "", "default"));
        let query = Query::of_row(&maps, &key).showing([model::column(&maps, "sitemapxml")?]);
        let (rows, _) = self.shared.platform_rows("navigation for a user", &query).await?;
        match rows.first().and_then(|row| row.get(1)) {
            Some(Value::Text(xml)) => {
                let read = read_navigation(schema, xml, Purpose::Show, &self.shared.limits.definitions);
                read.map_err(|error| Error::Invalid(format!("the site map cannot be read: {error}")))
            }
            _ => Ok(standard().navigation.clone()),
        }
    }
}

/// The forms that somebody gets, in order. Only main forms are bound to roles.
pub(crate) fn chosen(mut forms: Vec<Form>, holder: &Holder) -> Vec<Form> {
    let candidates: Vec<_> = forms.iter().map(|form| (&form.display, form.name.as_str(), form.id)).collect();
    let order = visible_forms(&candidates, holder);
    let place = |id: Guid| order.iter().position(|at| candidates.get(*at).is_some_and(|(.., found)| *found == id));
    let places: Vec<(Guid, Option<usize>)> = forms.iter().map(|form| (form.id, place(form.id))).collect();
    let place_of = |id: Guid| places.iter().find(|(known, _)| *known == id).and_then(|(_, place)| *place);
    forms.retain(|form| place_of(form.id).is_some());
    forms.sort_by_key(|form| place_of(form.id));
    forms
}

fn small(value: &Value) -> Option<i32> {
    match value {
        Value::Integer(number) => Some(*number),
        Value::BigInt(number) => i32::try_from(*number).ok(),
        _ => None,
    }
}

/// What a caller may see of the tables that definitions name.
struct Sight<'s> {
    schema: &'s Schema,
    authority: &'s Authority,
    limits: &'s custodia_interface::Limits,
}

impl Sight<'_> {
    /// Whether the caller passes the gate of a table with a right.
    fn holds(&self, table: &str, kind: PrivilegeKind) -> bool {
        self.schema.table_named(table).is_some_and(|table| self.authority.rows(table, kind).is_ok())
    }

    fn holds_named(&self, table: &str, right: &str) -> bool {
        PrivilegeKind::ALL.into_iter().any(|kind| kind.word() == right && self.holds(table, kind))
    }

    /// Takes the sub-grids off a form whose records the caller may not read, and what is empty then.
    fn prune(&self, form: &mut Form) {
        let is_shown = |cell: &Cell| match &cell.control {
            Control::Subgrid { table, .. } => self.holds(table, PrivilegeKind::Read),
            _ => true,
        };
        for column in form.tabs.iter_mut().flat_map(|tab| &mut tab.columns) {
            for section in &mut column.sections {
                for row in &mut section.rows {
                    row.retain(is_shown);
                }
                section.rows.retain(|row| !row.is_empty());
            }
            column.sections.retain(|section| !section.rows.is_empty());
        }
        form.tabs.retain(|tab| tab.columns.iter().any(|column| !column.sections.is_empty()));
    }

    /// Whether every table of a view may be read, and its query still be run.
    fn can_run(&self, view: &View, caller: &Caller) -> bool {
        let limits = QueryLimits::default();
        let asker = Asker::plain(0, caller.acting(), Guid::nil());
        let reads_all = asked_tables(&view.fetch_xml, self.limits)
            .is_ok_and(|tables| tables.iter().all(|table| self.holds(table, PrivilegeKind::Read)));
        reads_all
            && Fetch::read(&view.fetch_xml, &limits)
                .is_ok_and(|fetch| fetch.resolve(self.schema, &asker, &limits).is_ok())
    }
}
