//! Columns that the system requires: no update takes their values away, whichever way it comes.

use crate::on_both_engines;

on_both_engines! {
    required_columns_keep_their_values;
    null_leaves_a_new_record_what_a_default_gives;
    null_leaves_what_a_default_gives;
    a_line_stays_with_some_record;
}

mod bodies {
    use std::sync::Arc;

    use custodia_schema::{Column, ColumnKind, RequiredLevel, Schema, Table};
    use serde_json::{Map, Value as Json, json};

    use crate::world::World;

    const REQUIRED: &str = "0x80040203";

    /// Whether an update may name the column and may not take its value. What the platform or a default gives stays as it is
    /// where it is given no value; owners have a code of their own.
    fn is_kept(table: &Table, column: &Column) -> bool {
        let is_required = column.required == RequiredLevel::System && column.updatable && column.kind.is_stored();
        is_required && !table.is_given_otherwise(column)
    }

    /// Whether the column of a new record has a value, given or not, which the platform or a default gives it then.
    fn is_filled(table: &Table, column: &Column) -> bool {
        let is_required = column.required == RequiredLevel::System && table.is_given_otherwise(column);
        let is_boolean = matches!(column.kind, ColumnKind::Boolean { .. });
        // What may be customised nothing fills yet.
        let is_managed = matches!(column.kind, ColumnKind::Managed);
        (is_required && !is_managed || is_boolean)
            && column.creatable
            && column.kind.is_stored()
            && column.id != table.primary_id
    }

    /// The navigation of a lookup to one of the tables it may lead to.
    fn navigation_of<'s>(schema: &'s Schema, table: &Table, column: &Column, to: &Table) -> Option<&'s str> {
        let of = schema.parents_of(table.id).find(|r| r.referencing_column == column.id && r.referenced == to.id)?;
        Some(&of.lookup_navigation)
    }

    async fn first_of(world: &World, table: &Table) -> Option<Json> {
        let answer = world.ask("GET", &format!("{}?$top=1", table.set_name), &[], "").await;
        (answer.status == 200).then(|| answer.json()["value"][0].clone()).filter(|row| !row.is_null())
    }

    /// The least that a new record of a table says, with null for what is filled; `None` while what it links to is not there.
    async fn least(world: &World, schema: &Schema, table: &Table) -> Option<Map<String, Json>> {
        let mut body = Map::new();
        for column in table.columns().iter().filter(|column| column.creatable) {
            let value = match &column.kind {
                _ if is_filled(table, column) => json!(null),
                _ if !table.must_be_given(column) && !is_kept(table, column) => continue,
                ColumnKind::Lookup { targets, .. } => {
                    let mut link = None;
                    for target in targets.iter().filter_map(|target| schema.table(*target)) {
                        let id = &target.column_by_id(target.primary_id)?.name;
                        let Some(navigation) = navigation_of(schema, table, column, target) else { continue };
                        let Some(row) = first_of(world, target).await else { continue };
                        let address = format!("/{}({})", target.set_name, row[id].as_str()?);
                        link = Some((format!("{navigation}@odata.bind"), json!(address)));
                        break;
                    }
                    let (name, address) = link?;
                    body.insert(name, address);
                    continue;
                }
                ColumnKind::Text { .. } => json!("a1"),
                ColumnKind::Integer { min, .. } => json!((*min).max(1)),
                ColumnKind::Decimal { .. } | ColumnKind::Money { .. } | ColumnKind::Double { .. } => json!(1),
                ColumnKind::DateTime { .. } => json!("2026-01-01"),
                ColumnKind::TableName => json!("account"),
                ColumnKind::Choice { options, .. } => json!(options.first()?.value),
                ColumnKind::Boolean { .. } => json!(false),
                _ => continue,
            };
            body.insert(column.name.clone(), value);
        }
        Some(body)
    }

    /// Makes a record of each table that callers make records of; which, and the address of each.
    async fn make_of_each(world: &World, schema: &Schema) -> Vec<(Arc<Table>, String)> {
        let mut tables: Vec<&Arc<Table>> =
            schema.tables().iter().filter(|table| !table.set_name.is_empty() && !table.is_intersect).collect();
        let mut made = Vec::new();
        // Some need records of others: those come once the others are there.
        loop {
            let before = tables.len();
            let mut left = Vec::new();
            for table in tables {
                let answer = match least(world, schema, table).await {
                    Some(body) => {
                        let body = Json::Object(body).to_string();
                        Some(world.ask("POST", &table.set_name, &[], &body).await)
                    }
                    None => None,
                };
                match answer.filter(|answer| answer.status == 204) {
                    Some(answer) => {
                        made.push((Arc::clone(table), format!("{}({})", table.set_name, answer.written_id())));
                    }
                    None => left.push(table),
                }
            }
            tables = left;
            if tables.is_empty() || tables.len() == before {
                return made;
            }
        }
    }

    pub async fn required_columns_keep_their_values(world: World) {
        let schema = world.org.schema();
        let account = world.post("accounts", r#"{"name":"A"}"#).await;
        make_of_each(&world, &schema).await;
        let case = json!({ "title": "C", "customerid_account@odata.bind": format!("/accounts({account})") });
        world.post("incidents", &case.to_string()).await;
        let mut tried = Vec::new();
        for table in schema.tables().iter().filter(|table| !table.set_name.is_empty() && !table.is_intersect) {
            let Some(row) = first_of(&world, table).await else { continue };
            let id_name = &table.column_by_id(table.primary_id).unwrap().name;
            let id = row[id_name].as_str().unwrap();
            let record = format!("{}({id})", table.set_name);
            for column in table.columns().iter().filter(|column| is_kept(table, column)) {
                let mut ways = Vec::new();
                let name = if let ColumnKind::Lookup { targets, .. } = &column.kind {
                    if row[format!("_{}_value", column.name)].is_null() {
                        continue;
                    }
                    let lead = |target| navigation_of(&schema, table, column, schema.table(target)?);
                    let Some(name) = targets.iter().find_map(|target| lead(*target)) else { continue };
                    ways.push(("DELETE", format!("{record}/{name}/$ref"), String::new()));
                    name
                } else {
                    if row[&column.name].is_null() {
                        continue;
                    }
                    ways.push(("DELETE", format!("{record}/{}", column.name), String::new()));
                    ways.push(("PUT", format!("{record}/{}", column.name), r#"{"value":null}"#.to_owned()));
                    &column.name
                };
                let mut target = json!({ name: null });
                ways.push(("PATCH", record.clone(), target.to_string()));
                target[id_name] = json!(id);
                let many = format!("{}/Microsoft.Dynamics.CRM.UpdateMultiple", table.set_name);
                ways.push(("POST", many, json!({ "Targets": [target] }).to_string()));
                for (method, path, body) in ways {
                    let answer = world.ask(method, &path, &[], &body).await;
                    assert_eq!(answer.status, 400, "{method} {path} {body}: {}", answer.text());
                    let refused = answer.expect_error(400, REQUIRED);
                    assert!(refused.contains(&column.name), "{method} {path} {body}: {refused}");
                }
                tried.push(format!("{}.{}", table.name, column.name));
            }
            let mut after = world.get(&record).await;
            after.as_object_mut().unwrap().remove("@odata.context");
            assert_eq!(after, row, "{}", table.name);
        }
        for column in [
            "activityparty.participationtypemask",
            "businessunit.name",
            "incident.customerid",
            "systemuser.domainname",
            "team.name",
            "teamtemplate.defaultaccessrightsmask",
            "transactioncurrency.exchangerate",
            "transactioncurrency.isocurrencycode",
        ] {
            assert!(tried.iter().any(|known| known == column), "{column} was not tried: {tried:?}");
        }
    }

    pub async fn null_leaves_a_new_record_what_a_default_gives(world: World) {
        let draft = format!("appointments({})", world.post("appointments", r#"{"subject":"S"}"#).await);
        let kept = world.ask("DELETE", &format!("{draft}/isdraft"), &[], "").await.expect_error(400, "0x80060888");
        assert_eq!(kept, "the column 'isdraft' of 'appointment' keeps a value");
        let schema = world.org.schema();
        let mut tried = Vec::new();
        for (table, record) in make_of_each(&world, &schema).await {
            let row = world.get(&record).await;
            for column in table.columns().iter().filter(|column| is_filled(&table, column)) {
                let shown = match column.kind {
                    ColumnKind::Lookup { .. } => &row[format!("_{}_value", column.name)],
                    _ => &row[&column.name],
                };
                assert!(!shown.is_null(), "{}.{}: {row}", table.name, column.name);
                tried.push(format!("{}.{}", table.name, column.name));
            }
            if table.name == "annotation" {
                assert_eq!(row["isdocument"], json!(false));
            }
        }
        for column in ["annotation.isdocument", "appointment.isdraft", "list.type", "systemuser.accessmode"] {
            assert!(tried.iter().any(|known| known == column), "{column} was not tried: {tried:?}");
        }
    }

    pub async fn null_leaves_what_a_default_gives(world: World) {
        let note = r#"{"subject":"S","documentbody":"YWJj","filename":"a.txt"}"#;
        let note = format!("annotations({})", world.post("annotations", note).await);
        let told = async || {
            let note = world.get(&note).await;
            (note["isdocument"].clone(), note["filesize"].clone(), note["subject"].clone())
        };
        for (body, expected) in [
            (json!({ "isdocument": null, "subject": "T" }), (json!(true), json!(3), json!("T"))),
            (json!({ "documentbody": "YQ==", "isdocument": null }), (json!(true), json!(1), json!("T"))),
            (
                json!({ "documentbody": null, "filename": null, "isdocument": null }),
                (json!(false), json!(null), json!("T")),
            ),
        ] {
            world.ask("PATCH", &note, &[], &body.to_string()).await.expect(204);
            assert_eq!(told().await, expected, "{body}");
        }
        let draft = world.post("appointments", r#"{"subject":"S","isdraft":true}"#).await;
        let user = world.user("Uma", &["Salesperson"]).await.user;
        for (record, column, kept) in [
            (format!("appointments({draft})"), "isdraft", json!(true)),
            (format!("systemusers({user})"), "accessmode", json!(0)),
        ] {
            let body = json!({ column: null }).to_string();
            world.ask("PATCH", &record, &[], &body).await.expect(204);
            assert_eq!(world.get(&record).await[column], kept, "{record}");
        }
    }

    pub async fn a_line_stays_with_some_record(world: World) {
        let email = world.post("emails", r#"{"subject":"About boats"}"#).await;
        let bound = format!(r#"{{"filename":"a.txt","objectid_email@odata.bind":"/emails({email})"}}"#);
        let attachment = format!("activitymimeattachments({})", world.post("activitymimeattachments", &bound).await);
        let bound = format!(r#"{{"participationtypemask":2,"activityid_email@odata.bind":"/emails({email})"}}"#);
        let party = format!("activityparties({})", world.post("activityparties", &bound).await);
        for (record, navigation) in [(&attachment, "objectid_email"), (&party, "activityid_email")] {
            let before = world.get(record).await;
            let body = json!({ navigation: null }).to_string();
            world.ask("PATCH", record, &[], &body).await.expect_error(400, REQUIRED);
            let link = format!("{record}/{navigation}/$ref");
            world.ask("DELETE", &link, &[], "").await.expect_error(400, REQUIRED);
            assert_eq!(world.get(record).await, before);
        }
        // They go with the record that they belong to.
        world.ask("DELETE", &format!("emails({email})"), &[], "").await.expect(204);
        for record in [&attachment, &party] {
            assert_eq!(world.ask("GET", record, &[], "").await.status, 404, "{record}");
        }
    }
}
