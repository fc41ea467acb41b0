//! Forms, views and site maps as records: they come with the program, are checked when they are written, and hide nothing.

use crate::on_both_engines;

on_both_engines! {
    definitions_are_there_when_somebody_asks_for_them;
    nobody_who_does_not_ask_has_them;
    forms_are_checked_when_they_are_written;
    a_table_keeps_a_form_to_fall_back_on;
    views_and_site_maps_are_checked_when_they_are_written;
    a_view_of_ones_own_is_ones_own;
    what_comes_with_the_program_is_changed_and_not_deleted;
    a_newer_program_brings_new_forms_and_leaves_changed_ones;
    forms_hide_nothing_and_give_nothing;
    an_administrator_and_a_customizer_see_every_active_form;
    the_interface_shows_no_more_than_may_be_read;
    changes_of_forms_are_audited;
    so_many_forms_are_active_and_more_views_are_told_of;
}

mod bodies {
    use custodia_access::{Authority, Permit};
    use custodia_interface::{Form, FormKind, standard, write_form};
    use custodia_org::{Caller, Error, Precondition, WorkLimits};
    use custodia_schema::{Guid, PrivilegeKind, Table, Value};

    use crate::world::World;

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    fn table(world: &World, name: &str) -> std::sync::Arc<Table> {
        world.org.schema().table_named(name).unwrap().clone()
    }

    fn shipped(of: &str, kind: FormKind) -> Form {
        standard().forms.iter().find(|form| form.table == of && form.kind == kind).unwrap().clone()
    }

    /// The XML of a main form of accounts for whom it is said to be for.
    fn account_form(world: &World, everyone: bool, roles: &[Guid], order: u32, fallback: bool) -> String {
        let mut form = shipped("account", FormKind::Main);
        form.display.everyone = everyone;
        form.display.roles = roles.to_vec();
        form.display.order = order;
        form.display.fallback = fallback;
        write_form(&table(world, "account"), &form)
    }

    async fn make_form(world: &World, caller: &Caller, name: &str, xml: &str) -> Result<Guid, Error> {
        let columns = [
            ("name", text(name)),
            ("objecttypecode", text("account")),
            ("type", Value::Integer(2)),
            ("formxml", text(xml)),
        ];
        world.org.create(caller, world.input("systemform", &columns)).await.map(|written| written.id)
    }

    async fn change(
        world: &World,
        caller: &Caller,
        table: &str,
        id: Guid,
        columns: &[(&str, Value)],
    ) -> Result<(), Error> {
        let (target, input) = (world.reference(table, id), world.input(table, columns));
        world.org.update(caller, target, input, Precondition::Exists).await.map(drop)
    }

    async fn main_forms(world: &World, caller: &Caller) -> Vec<String> {
        let accounts = table(world, "account");
        let forms = world.org.filtered_forms(caller, &accounts, FormKind::Main, None).await.unwrap();
        forms.into_iter().map(|form| form.name).collect()
    }

    async fn close_shipped(world: &World) {
        let id = shipped("account", FormKind::Main).id;
        let xml = account_form(world, false, &[], 0, true);
        change(world, &world.admin(), "systemform", id, &[("formxml", text(&xml))]).await.unwrap();
    }

    #[track_caller]
    fn assert_refused<T: std::fmt::Debug>(outcome: Result<T, Error>, expected: &str) {
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    pub async fn definitions_are_there_when_somebody_asks_for_them(world: World) {
        let admin = world.admin();
        for (table, kept) in [("systemform", standard().forms.len()), ("savedquery", standard().views.len())] {
            let managed = [("ismanaged", Value::Boolean(true))];
            let query = custodia_query::Query { page_size: 5_000, ..world.query(table, &["name"], &managed) };
            let mut rows = custodia_org::Rows::default();
            world.org.query(&admin, &query, &mut rows).await.unwrap();
            assert_eq!(rows.rows.len(), kept, "{table}");
        }
        let rows = world.select(&admin, "sitemap", &["sitemapname", "sitemapxml"], &[]).await;
        assert_eq!(rows.len(), 1);
        // What is stored is what the program shows where nothing is stored.
        let accounts = table(&world, "account");
        let found = world.org.filtered_forms(&admin, &accounts, FormKind::Main, None).await.unwrap();
        assert_eq!(found, [shipped("account", FormKind::Main)]);
        let interface = world.org.table_interface(&admin, &accounts).await.unwrap();
        let fresh = World::new(world.engine).await;
        let before = fresh.org.table_interface(&fresh.admin(), &accounts).await.unwrap();
        assert_eq!(interface, before);
        assert_eq!(world.org.navigation(&admin).await.unwrap(), fresh.org.navigation(&fresh.admin()).await.unwrap());
    }

    pub async fn nobody_who_does_not_ask_has_them(world: World) {
        let (admin, accounts) = (world.admin(), table(&world, "account"));
        let before = world.org.database().head().await.unwrap();
        let interface = world.org.table_interface(&admin, &accounts).await.unwrap();
        assert!(!interface.main.is_empty() && !interface.others.is_empty() && interface.views.len() > 5);
        assert!(!world.org.navigation(&admin).await.unwrap().areas.is_empty());
        assert_eq!(world.org.database().head().await.unwrap(), before, "reading the interface stores nothing");
        for name in ["systemform", "savedquery", "userquery", "sitemap"] {
            assert!(!world.org.database().has_table(table(&world, name).id), "{name}");
        }
    }

    pub async fn forms_are_checked_when_they_are_written(world: World) {
        let admin = world.admin();
        let good = account_form(&world, true, &[], 1, false);
        let role = world.role("Salesperson", world.seeded.unit).await;
        let broken = good.replace("datafieldname=\"telephone1\"", "datafieldname=\"telefone\"");
        assert_refused(make_form(&world, &admin, "A", &broken).await, "systemform.formxml: line 1, column");
        assert_refused(make_form(&world, &admin, "A", &broken).await, "no column 'telefone'");
        assert_refused(make_form(&world, &admin, "A", "<form>").await, "not well-formed");
        assert_refused(make_form(&world, &admin, "A", "").await, "not well-formed");
        let unknown = account_form(&world, false, &[Guid::from_u128(99)], 1, false);
        assert_refused(make_form(&world, &admin, "A", &unknown).await, "there is no role");
        let parent = world.lookup("businessunit", world.seeded.unit);
        let east = [("name", text("East")), ("parentbusinessunitid", parent)];
        let east = world.create(&admin, "businessunit", &east).await;
        let copy = world.role("Salesperson", east).await;
        let of_copy = account_form(&world, false, &[copy], 1, false);
        assert_refused(make_form(&world, &admin, "A", &of_copy).await, &role.to_string());
        let nowhere = [
            ("name", text("A")),
            ("objecttypecode", text("acount")),
            ("type", Value::Integer(2)),
            ("formxml", text(&good)),
        ];
        assert_refused(world.org.create(&admin, world.input("systemform", &nowhere)).await, "no table 'acount'");
        assert_eq!(main_forms(&world, &admin).await, ["Account"]);

        let made = make_form(&world, &admin, "Bound", &account_form(&world, false, &[role], 1, false)).await.unwrap();
        let shown = ["formjson", "ismanaged", "formidunique"];
        let rows = world.select(&admin, "systemform", &shown, &[("formid", Value::Guid(made))]).await;
        let [Value::Text(json), managed, unique] = rows[0].as_slice() else { panic!("{rows:?}") };
        assert!(json.contains("\"name\":\"Bound\"") && json.contains(&role.to_string()), "{json}");
        assert_eq!((managed, unique), (&Value::Boolean(false), &Value::Guid(made)));
        let before = world.org.database().head().await.unwrap();
        assert_refused(change(&world, &admin, "systemform", made, &[("formxml", text(&broken))]).await, "telefone");
        assert_eq!(world.org.database().head().await.unwrap(), before);
        // Who may not write forms is told so, and not what is wrong with the form.
        let seller = world.user("sally", world.seeded.unit, &["Salesperson"]).await;
        assert!(matches!(make_form(&world, &seller, "A", &good).await, Err(Error::Denied(_))));
    }

    pub async fn a_table_keeps_a_form_to_fall_back_on(world: World) {
        let admin = world.admin();
        let first = shipped("account", FormKind::Main).id;
        let left = "left without an active main form";
        let inactive = [("formactivationstate", Value::Integer(0))];
        assert_refused(change(&world, &admin, "systemform", first, &inactive).await, left);
        let bound = account_form(&world, true, &[], 0, false);
        assert_refused(change(&world, &admin, "systemform", first, &[("formxml", text(&bound))]).await, left);
        let second = make_form(&world, &admin, "Second", &account_form(&world, false, &[], 5, true)).await.unwrap();
        change(&world, &admin, "systemform", first, &inactive).await.unwrap();
        assert_refused(change(&world, &admin, "systemform", second, &inactive).await, left);
        let target = world.reference("systemform", second);
        assert_refused(world.org.delete(&admin, target.clone(), Precondition::None).await, left);
        change(&world, &admin, "systemform", first, &[("formactivationstate", Value::Integer(1))]).await.unwrap();
        world.org.delete(&admin, target, Precondition::None).await.unwrap();
        assert_eq!(main_forms(&world, &admin).await, ["Account"]);
    }

    pub async fn views_and_site_maps_are_checked_when_they_are_written(world: World) {
        let admin = world.admin();
        let make = async |of: &str, fetch: &str, layout: &str| {
            let mut columns = vec![
                ("name", text("Mine")),
                ("returnedtypecode", text(of)),
                ("querytype", Value::Integer(0)),
                ("fetchxml", text(fetch)),
            ];
            if !layout.is_empty() {
                columns.push(("layoutxml", text(layout)));
            }
            world.org.create(&admin, world.input("savedquery", &columns)).await
        };
        let fetch = "<fetch><entity name='account'><attribute name='name'/></entity></fetch>";
        let layout = "<grid><row><cell name='name' width='200'/></row></grid>";
        assert_refused(make("acount", fetch, layout).await, "no table 'acount'");
        assert_refused(make("contact", fetch, layout).await, "the view is of 'contact'");
        assert_refused(make("account", "<fetch/>", layout).await, "savedquery.fetchxml");
        assert_refused(make("account", &fetch.replace("'name'", "'nam'"), layout).await, "nam");
        assert_refused(
            make("account", fetch, &layout.replace("'name'", "'nam'")).await,
            "savedquery.layoutxml: line 1",
        );
        assert_refused(make("account", "<!DOCTYPE a [<!ENTITY b 'c'>]><fetch/>", layout).await, "savedquery.fetchxml");
        make("account", fetch, layout).await.unwrap();
        let interface = world.org.table_interface(&admin, &table(&world, "account")).await.unwrap();
        assert!(interface.views.iter().any(|view| view.name == "Mine" && view.columns[0].width == 200));

        let map = custodia_interface::definition_id("sitemap", "", "default");
        let put = async |xml: &str| change(&world, &admin, "sitemap", map, &[("sitemapxml", text(xml))]).await;
        assert_refused(put("<SiteMap>").await, "sitemap.sitemapxml: line 1");
        assert_refused(put("<SiteMap/>").await, "no 'Area'");
        let area = |inside: &str| format!("<SiteMap><Area Id='a'><Group Id='g'>{inside}</Group></Area></SiteMap>");
        assert_refused(put(&area("<SubArea Id='s' Entity='acount'/>")).await, "no table 'acount'");
        put(&area("<SubArea Id='s' Entity='account'/>")).await.unwrap();
        let navigation = world.org.navigation(&admin).await.unwrap();
        assert_eq!(navigation.areas.len(), 1);
        assert_eq!(navigation.areas[0].groups[0].items[0].title, "Accounts");
    }

    pub async fn a_view_of_ones_own_is_ones_own(world: World) {
        let unit = world.seeded.unit;
        let anna = world.user("anna", unit, &["Salesperson"]).await;
        let ben = world.user("ben", unit, &["Salesperson"]).await;
        let columns = [
            ("name", text("Anna's accounts")),
            ("returnedtypecode", text("account")),
            ("querytype", Value::Integer(0)),
            ("fetchxml", text("<fetch><entity name='account'><attribute name='name'/></entity></fetch>")),
        ];
        world.create(&anna, "userquery", &columns).await;
        let broken = [&columns[..3], &[("fetchxml", text("<fetch><entity name='acount'/></fetch>"))]].concat();
        assert_refused(world.org.create(&anna, world.input("userquery", &broken)).await, "userquery.fetchxml");
        let accounts = table(&world, "account");
        let sees = async |caller: &Caller| {
            let interface = world.org.table_interface(caller, &accounts).await.unwrap();
            interface.views.iter().filter(|view| view.name == "Anna's accounts").count()
        };
        assert_eq!((sees(&anna).await, sees(&ben).await, sees(&world.admin()).await), (1, 0, 0));
    }

    pub async fn what_comes_with_the_program_is_changed_and_not_deleted(world: World) {
        let admin = world.admin();
        let form = shipped("account", FormKind::Main);
        let view = standard().views.iter().find(|view| view.table == "account").unwrap();
        let map = custodia_interface::definition_id("sitemap", "", "default");
        for (table, id) in [("systemform", form.id), ("savedquery", view.id), ("sitemap", map)] {
            let target = world.reference(table, id);
            assert_refused(world.org.delete(&admin, target, Precondition::None).await, "comes with the program");
        }
        change(&world, &admin, "systemform", form.id, &[("name", text("Company"))]).await.unwrap();
        assert_eq!(main_forms(&world, &admin).await, ["Company"]);
        let shown = ["ismanaged", "formjson"];
        let rows = world.select(&admin, "systemform", &shown, &[("formid", Value::Guid(form.id))]).await;
        assert_eq!(rows[0][0], Value::Boolean(false));
        assert!(matches!(&rows[0][1], Value::Text(json) if json.contains("\"name\":\"Company\"")));
        change(&world, &admin, "savedquery", view.id, &[("statecode", Value::Integer(1))]).await.unwrap();
        let interface = world.org.table_interface(&admin, &table(&world, "account")).await.unwrap();
        assert!(interface.views.iter().all(|found| found.id != view.id));
    }

    pub async fn a_newer_program_brings_new_forms_and_leaves_changed_ones(world: World) {
        let admin = world.admin();
        let changed = shipped("account", FormKind::Main).id;
        let kept = shipped("contact", FormKind::Main).id;
        change(&world, &admin, "systemform", changed, &[("name", text("Company"))]).await.unwrap();
        // As an older program left it: another text, and another edition.
        let older = world.org.database().write(move |transaction| {
            Box::pin(async move {
                let forms = transaction.schema().table_named("systemform").unwrap().clone();
                let permit = Permit::platform(&Authority::platform("test"), &forms, PrivilegeKind::Write)?;
                let name = forms.column("name").unwrap().id;
                transaction.update(permit, &forms, kept, vec![(name, text("Old"))])?;
                transaction.put_setting("edition of forms and views", vec![0; 4]);
                Ok::<_, custodia_store::Error>(())
            })
        });
        older.await.unwrap();
        let names = async || {
            let rows = world.select(&world.platform(), "systemform", &["formid", "description", "name"], &[]).await;
            let of = |id: Guid| {
                rows.iter().find(|row| row[0] == Value::Guid(id)).map(|row| (row[1].clone(), row[2].clone()))
            };
            (of(kept), of(changed))
        };
        assert_eq!(names().await, (Some((Value::Null, text("Old"))), Some((Value::Null, text("Company")))));
        world.org.database().renew_definitions().await.unwrap();
        assert_eq!(names().await, (Some((Value::Null, text("Contact"))), Some((Value::Null, text("Company")))));
    }

    pub async fn forms_hide_nothing_and_give_nothing(world: World) {
        let admin = world.admin();
        let role = world.role("Salesperson", world.seeded.unit).await;
        let seller = world.user("sally", world.seeded.unit, &["Salesperson"]).await;
        let agent = world.user("carl", world.seeded.unit, &["Customer Service Representative"]).await;
        close_shipped(&world).await;
        let mut form = shipped("account", FormKind::Card);
        form.kind = FormKind::Main;
        form.display.everyone = false;
        form.display.roles = vec![role];
        let xml = write_form(&table(&world, "account"), &form);
        make_form(&world, &admin, "Short", &xml).await.unwrap();
        assert_eq!(main_forms(&world, &seller).await, ["Short"]);
        assert_eq!(main_forms(&world, &agent).await, ["Account"]);
        // What is on no form is read all the same.
        let account = world.create(&seller, "account", &[("name", text("A")), ("description", text("unseen"))]).await;
        let rows = world.select(&seller, "account", &["description"], &[("accountid", Value::Guid(account))]).await;
        assert_eq!(rows, [[text("unseen")]]);
        // A form bound to a role gives nothing: who may read no accounts reads none, and gets no form of them.
        let guest_role = [("name", text("Guest")), ("businessunitid", world.lookup("businessunit", world.seeded.unit))];
        let guest_role = world.create(&admin, "role", &guest_role).await;
        let guest = world.user("gus", world.seeded.unit, &["Guest"]).await;
        make_form(&world, &admin, "For guests", &account_form(&world, false, &[guest_role], 0, false)).await.unwrap();
        assert_eq!(main_forms(&world, &guest).await, ["For guests"]);
        let query = world.query("account", &["name"], &[]);
        let mut rows = custodia_org::Rows::default();
        assert!(matches!(world.org.query(&guest, &query, &mut rows).await, Err(Error::Denied(_))));
        let interface = world.org.table_interface(&guest, &table(&world, "account")).await.unwrap();
        assert!(interface.main.is_empty() && interface.others.is_empty() && interface.views.is_empty());
    }

    pub async fn an_administrator_and_a_customizer_see_every_active_form(world: World) {
        let admin = world.admin();
        let unit = world.seeded.unit;
        let customizer = world.user("cora", unit, &["System Customizer"]).await;
        let seller = world.user("sally", unit, &["Salesperson"]).await;
        let hidden = make_form(&world, &admin, "Managers", &account_form(&world, false, &[], 0, false)).await.unwrap();
        for caller in [&admin, &customizer] {
            assert_eq!(main_forms(&world, caller).await, ["Account", "Managers"]);
        }
        assert_eq!(main_forms(&world, &seller).await, ["Account"]);
        change(&world, &admin, "systemform", hidden, &[("formactivationstate", Value::Integer(0))]).await.unwrap();
        assert_eq!(main_forms(&world, &admin).await, ["Account"]);
        // Whose forms another one gets is told to whoever reads users and roles.
        let accounts = table(&world, "account");
        let of_other =
            async |caller: &Caller, user| world.org.filtered_forms(caller, &accounts, FormKind::Main, Some(user)).await;
        assert_eq!(of_other(&admin, seller.user).await.unwrap().len(), 1);
        let guest_role = [("name", text("Guest")), ("businessunitid", world.lookup("businessunit", unit))];
        world.create(&admin, "role", &guest_role).await;
        let guest = world.user("gus", unit, &["Guest"]).await;
        assert!(matches!(of_other(&guest, seller.user).await, Err(Error::Denied(_))));
        assert_eq!(of_other(&guest, guest.user).await.unwrap().len(), 1);
        let nobody = world.user("nora", unit, &[]).await;
        assert!(matches!(of_other(&nobody, nobody.user).await, Err(Error::Denied(_))));
        assert!(matches!(of_other(&admin, Guid::from_u128(77)).await, Err(Error::NotFound { .. })));
    }

    pub async fn the_interface_shows_no_more_than_may_be_read(world: World) {
        let agent = world.user("carl", world.seeded.unit, &["Customer Service Representative"]).await;
        let accounts = table(&world, "account");
        let may_read = |caller: &Caller, name: &str| {
            let (caller, query) = (caller.clone(), world.query(name, &[], &[]));
            let org = world.org.clone();
            async move { org.query(&caller, &query, &mut custodia_org::Rows::default()).await.is_ok() }
        };
        let interface = world.org.table_interface(&agent, &accounts).await.unwrap();
        let json = serde_json::to_value(&interface.main).unwrap().to_string();
        let full = world.org.table_interface(&world.admin(), &accounts).await.unwrap();
        let all = serde_json::to_value(&full.main).unwrap().to_string();
        for (name, grid) in [("list", "listaccount_association"), ("opportunity", "opportunity_customer_accounts")] {
            assert!(all.contains(grid), "{grid}");
            assert_eq!(json.contains(grid), may_read(&agent, name).await, "{grid}");
        }
        let navigation = world.org.navigation(&agent).await.unwrap();
        let items = navigation.areas.iter().flat_map(|area| &area.groups).flat_map(|group| &group.items);
        let mut tables = 0;
        for item in items {
            if let Some(name) = &item.table {
                tables += 1;
                assert!(may_read(&agent, name).await, "{name}");
                assert!(!matches!(name.as_str(), "role" | "systemuser" | "systemform"), "{name}");
            }
        }
        assert!(tables > 3);
        let whole = world.org.navigation(&world.admin()).await.unwrap();
        let titles: Vec<_> = whole.areas.iter().map(|area| area.title.as_str()).collect();
        assert_eq!(titles, ["Sales", "Service", "Marketing", "Settings"]);
        // A view that names a table which the caller may not read is not shown.
        let unread = "<fetch><entity name='account'><attribute name='name'/><link-entity name='list' from='listid' \
                      to='accountid' alias='l'/></entity></fetch>";
        let columns = [
            ("name", text("With lists")),
            ("returnedtypecode", text("account")),
            ("querytype", Value::Integer(0)),
            ("fetchxml", text(unread)),
        ];
        world.create(&world.admin(), "savedquery", &columns).await;
        let sees = async |caller: &Caller| {
            let interface = world.org.table_interface(caller, &accounts).await.unwrap();
            interface.views.iter().any(|view| view.name == "With lists")
        };
        assert!(sees(&world.admin()).await);
        assert_eq!(sees(&agent).await, may_read(&agent, "list").await);
    }

    pub async fn changes_of_forms_are_audited(world: World) {
        let admin = world.admin();
        let forms = world.table("systemform");
        world.org.audit_table(&admin, forms, true).await.unwrap();
        let id = shipped("account", FormKind::Main).id;
        change(&world, &admin, "systemform", id, &[("name", text("Company"))]).await.unwrap();
        let entries = world.org.audit_entries(None, 10, Some((forms, id))).await.unwrap();
        assert_eq!(entries.len(), 1, "{entries:?}");
        assert_eq!(entries[0].entry.user, admin.user);
    }

    pub async fn so_many_forms_are_active_and_more_views_are_told_of(mut world: World) {
        let (admin, accounts) = (world.admin(), table(&world, "account"));
        make_form(&world, &admin, "Second", &account_form(&world, true, &[], 5, false)).await.unwrap();
        let kinds = FormKind::ALL.map(|(kind, _)| kind);
        let mut active = 0;
        for kind in kinds {
            active += world.org.filtered_forms(&admin, &accounts, kind, None).await.unwrap().len();
        }
        let views = world.org.table_interface(&admin, &accounts).await.unwrap();
        assert!(!views.more_views);
        let (forms, stored) = (u32::try_from(active).unwrap(), u32::try_from(views.views.len()).unwrap());
        let limits = |table_forms, table_views| WorkLimits { table_forms, table_views, ..WorkLimits::default() };
        world.org = world.within(limits(forms + 1, stored));
        let third = make_form(&world, &admin, "Third", &account_form(&world, true, &[], 6, false)).await.unwrap();
        let refused = make_form(&world, &admin, "Fourth", &account_form(&world, true, &[], 7, false)).await;
        assert_refused(refused, "active forms already");
        // One that is not active takes no place, until it is activated.
        change(&world, &admin, "systemform", third, &[("formactivationstate", Value::Integer(0))]).await.unwrap();
        let fourth = make_form(&world, &admin, "Fourth", &account_form(&world, true, &[], 7, false)).await.unwrap();
        let activated = [("formactivationstate", Value::Integer(1))];
        assert_refused(change(&world, &admin, "systemform", third, &activated).await, "active forms already");
        change(&world, &admin, "systemform", fourth, &[("name", text("The fourth"))]).await.unwrap();
        assert_eq!(main_forms(&world, &admin).await, ["Account", "Second", "The fourth"]);
        // A limit that was lowered leaves out nothing without a word.
        world.org = world.within(limits(forms, stored));
        let refused = world.org.table_interface(&admin, &accounts).await;
        assert_refused(refused, "active forms; deactivate");
        world.org = world.within(limits(forms + 1, stored));
        make_view(&world, &admin, "savedquery").await;
        let told = world.org.table_interface(&admin, &accounts).await.unwrap();
        assert!(told.more_views && told.views.len() == stored as usize, "{}", told.views.len());
    }

    async fn make_view(world: &World, caller: &Caller, of: &str) {
        let columns = [
            ("name", text("One more")),
            ("returnedtypecode", text("account")),
            ("querytype", Value::Integer(0)),
            ("fetchxml", text("<fetch><entity name='account'><attribute name='name'/></entity></fetch>")),
        ];
        world.create(caller, of, &columns).await;
    }
}
