//! Indexes of an organisation's own: who may make them, what is refused, and that nothing is answered otherwise by them.

use crate::on_both_engines;

on_both_engines! {
    indexes_are_made_and_removed_and_told_of;
    what_cannot_be_indexed_is_refused;
    an_index_changes_no_answer;
    an_index_is_known_to_the_other_node;
}

mod bodies {
    use custodia_org::{AdviceBounds, Caller, Error, Organization, Result, Rows, WorkLimits};
    use custodia_schema::{ColumnId, TableId, Value};
    use custodia_store::AuditFilter;

    use crate::world::World;

    const REFUSED: u32 = 0x8005_f130;
    const NO_SUCH: u32 = 0x8005_f131;

    fn columns(world: &World, table: &str, names: &[&str]) -> (TableId, Vec<ColumnId>) {
        let schema = world.org.schema();
        let table = schema.table_named(table).unwrap();
        let id = |name: &&str| table.column(name).unwrap_or_else(|| panic!("no column {name}")).id;
        (table.id, names.iter().map(id).collect())
    }

    async fn add(world: &World, org: &Organization, caller: &Caller, table: &str, names: &[&str]) -> Result<()> {
        let (table, columns) = columns(world, table, names);
        org.add_index(caller, table, columns).await
    }

    async fn own(org: &Organization, caller: &Caller, table: TableId) -> Vec<Vec<ColumnId>> {
        let listed = org.indexes(caller, table).await.unwrap();
        listed.into_iter().filter_map(|index| index.own).collect()
    }

    #[track_caller]
    fn code(result: Result<()>) -> u32 {
        match result {
            Err(Error::Refused { code, .. }) => code,
            other => panic!("{other:?}"),
        }
    }

    pub async fn indexes_are_made_and_removed_and_told_of(world: World) {
        let admin = world.admin();
        let (table, made) = columns(&world, "account", &["telephone1", "createdon"]);
        let standard = world.org.indexes(&admin, table).await.unwrap().len();
        world.org.add_index(&admin, table, made.clone()).await.unwrap();
        assert_eq!(own(&world.org, &admin, table).await, vec![made.clone()]);
        world.create(&admin, "account", &[("name", Value::Text("A".into()))]).await;
        let listed = world.org.indexes(&admin, table).await.unwrap();
        assert_eq!(listed.len(), standard + 1);
        assert!(listed.iter().all(|index| index.bytes > Some(0)), "{listed:?}");

        assert_eq!(code(world.org.remove_index(&admin, table, made.iter().rev().copied().collect()).await), NO_SUCH);
        world.org.remove_index(&admin, table, made.clone()).await.unwrap();
        assert_eq!(own(&world.org, &admin, table).await, Vec::<Vec<ColumnId>>::new());
        assert_eq!(code(world.org.remove_index(&admin, table, made).await), NO_SUCH);

        let filter = AuditFilter::newest(10);
        let told: Vec<_> = world.org.database().audit_entries(&filter).await.unwrap();
        let told: Vec<_> = told.into_iter().filter_map(|entry| entry.entry.detail).collect();
        let index = "index of account over telephone1, createdon";
        let said: Vec<_> = told.iter().filter(|detail| detail.starts_with(index)).collect();
        assert_eq!(said, [&format!("{index} removed"), &format!("{index} made")], "newest first: {told:?}");
    }

    pub async fn what_cannot_be_indexed_is_refused(world: World) {
        let admin = world.admin();
        for (table, names) in [
            // A long text, the same twice, five columns, too many characters.
            ("account", &["description"][..]),
            ("account", &["telephone1", "telephone1"]),
            ("account", &["telephone1", "telephone2", "telephone3", "fax", "createdon"]),
            ("account", &["address1_line1", "address1_line2"]),
            ("account", &[]),
            // Begun by one that every organisation has: the key, the name, an owner's.
            ("account", &["accountid"]),
            ("account", &["name"]),
            ("account", &["ownerid"]),
            // Shares, links and the audit.
            ("principalobjectaccess", &["objectid"]),
            ("systemuserroles", &["roleid"]),
            ("audit", &["createdon"]),
        ] {
            assert_eq!(code(add(&world, &world.org, &admin, table, names).await), REFUSED, "{table} {names:?}");
        }
        let (accounts, _) = columns(&world, "account", &[]);
        let unknown = world.org.add_index(&admin, accounts, vec![ColumnId(60_000)]).await;
        assert!(matches!(unknown, Err(Error::Invalid(_))), "{unknown:?}");
        let unknown = world.org.add_index(&admin, TableId(999_999), Vec::new()).await;
        assert!(matches!(unknown, Err(Error::Invalid(_))), "{unknown:?}");

        let (_, one) = columns(&world, "account", &["fax"]);
        let seller = world.user("ben", world.seeded.unit, &["Salesperson"]).await;
        let denied = world.org.add_index(&seller, accounts, one.clone()).await;
        assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");
        let denied = world.org.remove_index(&seller, accounts, one).await;
        assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");
        assert!(matches!(world.org.indexes(&seller, accounts).await, Err(Error::Denied(_))));
        let advised = world.org.index_report(&seller, AdviceBounds::default()).await;
        assert!(matches!(advised, Err(Error::Denied(_))), "{advised:?}");

        assert_eq!(
            own(&world.org, &admin, accounts).await,
            Vec::<Vec<ColumnId>>::new(),
            "nothing of all that was noted"
        );
        let few = world.within(WorkLimits { own_indexes: 2, ..WorkLimits::default() });
        add(&world, &few, &admin, "account", &["fax"]).await.unwrap();
        assert_eq!(code(add(&world, &few, &admin, "account", &["fax"]).await), REFUSED, "it is there");
        add(&world, &few, &admin, "account", &["fax", "createdon"]).await.unwrap();
        assert_eq!(code(add(&world, &few, &admin, "account", &["telephone1"]).await), REFUSED, "two are enough");
        let fewer = world.within(WorkLimits { own_indexes: 1, ..WorkLimits::default() });
        let told = add(&world, &fewer, &admin, "account", &["telephone1"]).await.unwrap_err().to_string();
        assert!(told.contains("has 2 indexes of the organisation's own already, 1 are allowed"), "{told}");
        add(&world, &few, &admin, "contact", &["fax"]).await.unwrap();
    }

    /// Nulls, equal values, and a column that the caller may not read.
    pub async fn an_index_changes_no_answer(world: World) {
        let admin = world.admin();
        let seller = world.user("ben", world.seeded.unit, &["Salesperson"]).await;
        for number in 0..40_i32 {
            let caller = if number % 3 == 0 { &seller } else { &admin };
            let mut values = vec![("name", Value::Text(format!("Account {}", number % 5)))];
            if number % 4 != 0 {
                values.push(("fax", Value::Text(format!("Ä{}", number % 3))));
            }
            if number % 5 != 0 {
                values.push(("numberofemployees", Value::Integer(number % 6)));
            }
            world.create(caller, "account", &values).await;
        }
        let (table, secured) = columns(&world, "account", &["fax"]);
        let ask = async |caller: &Caller| {
            let mut all = Vec::new();
            for (column, value) in [
                ("fax", Value::Text("ä1".into())),
                ("fax", Value::Text("Ä9".into())),
                ("numberofemployees", Value::Integer(2)),
            ] {
                let shown = ["name", "fax", "numberofemployees"];
                all.push(world.select(caller, "account", &shown, &[(column, value)]).await);
            }
            all
        };
        let answers = async || [ask(&admin).await, ask(&seller).await];
        let open = answers().await;
        assert!(open[0][0].len() > 5 && !open[1][0].is_empty() && open[0][1].is_empty());
        for names in [&["fax", "numberofemployees"][..], &["numberofemployees", "fax"]] {
            add(&world, &world.org, &admin, "account", names).await.unwrap();
            assert_eq!(answers().await, open);
        }
        world.org.secure_column(&admin, table, secured[0], true).await.unwrap();
        let closed = answers().await;
        assert_eq!(closed[0], open[0]);
        assert!(closed[1][0].is_empty(), "a secured column is null to whoever may not read it, index or not");
        for names in [&["fax", "numberofemployees"][..], &["numberofemployees", "fax"]] {
            let (table, columns) = columns(&world, "account", names);
            world.org.remove_index(&admin, table, columns).await.unwrap();
            assert_eq!(answers().await, closed);
        }
    }

    pub async fn an_index_is_known_to_the_other_node(world: World) {
        let admin = world.admin();
        let other = world.another_node().await;
        world.create(&admin, "account", &[("name", Value::Text("A".into()))]).await;
        let (table, made) = columns(&world, "account", &["telephone1"]);
        world.org.add_index(&admin, table, made.clone()).await.unwrap();
        // Whatever it does next, it has read the head.
        let mut sink = Rows::default();
        other.query(&admin, &world.query("account", &["name"], &[]), &mut sink).await.unwrap();
        assert_eq!(sink.rows.len(), 1);
        assert_eq!(own(&other, &admin, table).await, [made]);
    }
}
