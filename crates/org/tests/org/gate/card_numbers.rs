//! Payment card numbers: refused, masked, told of or let through, as the organisation's rules say; and nowhere kept.

use crate::on_both_engines;

on_both_engines! {
    a_card_number_is_refused_on_every_way_in_and_leaves_no_trace;
    rules_of_organisation_table_and_column_hold_at_once_and_are_audited;
    what_was_stored_before_is_masked_and_the_audit_does_not_tell_it;
    a_payment_reference_column_takes_nothing_else;
}

mod bodies {
    use custodia_org::{
        BulkDelete, Caller, Change, Error, Fault, Inspection, MergeRequest, Organization, Precondition, RecordInput,
        inspect,
    };
    use custodia_schema::{CardPolicy, CardRule, ColumnId, Decimal, Guid, TableId, Value, ValueRef};

    use crate::world::World;

    const NUMBER: &str = "4111 1111 1111 1111";
    const DIGITS: &str = "4111111111111111";
    const MASKED: &str = "**** **** **** 1111";

    /// Whether a text tells the number. Ids are made of digits, too: fewer of them say nothing.
    fn tells(text: &str) -> bool {
        ["4111 1111", "41111111"].iter().any(|part| text.contains(part))
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn place(world: &World, table: &str, column: &str) -> (TableId, ColumnId) {
        let schema = world.org.schema();
        let table = schema.table_named(table).unwrap();
        (table.id, table.column(column).unwrap().id)
    }

    async fn rule(world: &World, rule: CardRule) {
        world.org.set_card_rule(&world.admin(), rule, true).await.unwrap();
    }

    /// Everything that the database keeps of records and of what was done: change log and audit.
    async fn kept(organization: &Organization) -> String {
        let changes = organization.database().changes(0, 1_000_000).await.unwrap();
        let audit = organization.audit_entries(None, 1_000_000, None).await.unwrap();
        format!("{changes:?} {audit:?}")
    }

    fn assert_refused<T: std::fmt::Debug>(refused: Result<T, Error>, table: &str, column: &str) {
        let mut error = refused.unwrap_err();
        while let Error::Part { error: part, .. } = error {
            error = *part;
        }
        let said = error.to_string();
        assert!(!tells(&said), "{said}");
        match error {
            Error::Value { table: of, column: at, fault: Fault::CardNumber, .. } => {
                assert_eq!((of.as_str(), at.as_str()), (table, column));
            }
            other => panic!("{other:?}"),
        }
    }

    pub async fn a_card_number_is_refused_on_every_way_in_and_leaves_no_trace(world: World) {
        let admin = world.admin();
        world.org.audit_table(&world.platform(), world.table("account"), true).await.unwrap();
        let account = world.create(&admin, "account", &[("name", text("Acme"))]).await;
        let other = world.create(&admin, "account", &[("name", text("Beta"))]).await;
        let target = world.reference("account", account);
        let holding = |column: &str, value: Value| world.input("account", &[("name", text("Gamma")), (column, value)]);
        let pay = || text(&format!("please charge {NUMBER}, thanks"));

        for (column, value) in [
            ("name", text(DIGITS)),
            ("description", pay()),
            ("description", text("<p>4111<b>1111</b></p><p>1111 1111</p>")),
            ("description", text("{\"card\":\"4111\\u00a01111\\u00a01111\\u00a01111\"}")),
            ("address1_line1", text("４１１１ １１１１ １１１１ １１１１")),
        ] {
            let refused = world.org.create(&admin, holding(column, value.clone())).await;
            assert_refused(refused, "account", column);
            let changed = world.input("account", &[(column, value.clone())]);
            let refused = world.org.update(&admin, target.clone(), changed.clone(), Precondition::None).await;
            assert_refused(refused, "account", column);
            let absent = world.reference("account", Guid::from_u128(77));
            let refused = world.org.upsert(&admin, absent, holding(column, value), Precondition::None).await;
            assert_refused(refused, "account", column);
        }
        // A full name is put together from names that hold no number each.
        let person = world.input("contact", &[("firstname", text("4111 1111")), ("lastname", text("1111 1111"))]);
        assert_refused(world.org.create(&admin, person).await, "contact", "fullname");

        // A note, and the text file that hangs on it, whatever it is said to be.
        let body = custodia_inspection::file_text_of(&format!("number,date\n{DIGITS},12/26\n"));
        let note = |columns: &[(&str, Value)]| world.input("annotation", columns);
        let refused = world.org.create(&admin, note(&[("subject", text("Call")), ("notetext", pay())])).await;
        assert_refused(refused, "annotation", "notetext");
        let attached =
            note(&[("filename", text("a.png")), ("mimetype", text("image/png")), ("documentbody", text(&body))]);
        assert_refused(world.org.create(&admin, attached).await, "annotation", "documentbody");

        // Within others: none of them is made.
        let first = Change::Create(RecordInput {
            id: Some(Guid::from_u128(78)),
            ..world.input("account", &[("name", text("Delta"))])
        });
        let second = Change::Create(holding("description", pay()));
        let refused = world.org.change(&admin, Change::All(vec![first, second])).await;
        assert_refused(refused, "account", "description");
        let merge = MergeRequest {
            target: target.clone(),
            subordinate: world.reference("account", other),
            content: Some(world.input("account", &[("description", pay())])),
            checks_parents: false,
        };
        assert_refused(world.org.change(&admin, Change::Merge(merge)).await, "account", "description");

        // An import and the platform are no exception, and neither is what a job deletes.
        let import = Caller { origin: custodia_org::Origin::Import, ..admin.clone() };
        for caller in [&import, &world.platform()] {
            assert_refused(world.org.create(caller, holding("description", pay())).await, "account", "description");
        }
        let query = format!(
            "<fetch><entity name=\"account\"><filter><condition attribute=\"name\" operator=\"eq\" value=\"{DIGITS}\"/></filter></entity></fetch>"
        );
        let job = BulkDelete { name: "clean".to_owned(), queries: vec![query], start: None };
        let refused = world.org.change(&admin, Change::BulkDelete(Guid::from_u128(79), job)).await;
        assert_refused(refused, "bulkdeleteoperation", "orderedquerysetxml");

        let names = world.select(&admin, "account", &["name"], &[]).await;
        assert_eq!(names.len(), 2, "{names:?}");
        let kept = kept(&world.org).await;
        assert!(!tells(&kept) && !kept.contains("４１１１") && !kept.contains(&body), "a trace of it is kept");
        // What the test would see if it were.
        world.create(&admin, "account", &[("name", text("4111 1111 is no number"))]).await;
        assert!(tells(&self::kept(&world.org).await));
    }

    pub async fn rules_of_organisation_table_and_column_hold_at_once_and_are_audited(world: World) {
        let admin = world.admin();
        let (account, description) = place(&world, "account", "description");
        let make = |column: &str| world.input("account", &[("name", text("Acme")), (column, text(NUMBER))]);
        let shown = async |id: Guid, column: &str| {
            world.select(&admin, "account", &[column], &[("accountid", Value::Guid(id))]).await[0][0].clone()
        };

        rule(&world, CardRule::Organization(CardPolicy::Mask)).await;
        let made = world.org.create(&admin, make("description")).await.unwrap();
        assert!(!made.masked, "masking is silent");
        assert_eq!(shown(made.id, "description").await, text(MASKED));
        rule(&world, CardRule::Table(account, CardPolicy::Warn)).await;
        let made = world.org.create(&admin, make("description")).await.unwrap();
        assert!(made.masked, "and the caller is told");
        assert_eq!(shown(made.id, "description").await, text(MASKED));
        assert!(!world.org.create(&admin, world.input("account", &[("name", text("Beta"))])).await.unwrap().masked);
        let change = world.input("account", &[("description", text(DIGITS))]);
        let changed = world.org.update(&admin, world.reference("account", made.id), change, Precondition::None).await;
        assert!(changed.unwrap().masked);
        assert_eq!(shown(made.id, "description").await, text("************1111"));
        assert!(!tells(&kept(&world.org).await), "of what is masked nothing is kept either");

        rule(&world, CardRule::Column(account, description, CardPolicy::Block)).await;
        assert_refused(world.org.create(&admin, make("description")).await, "account", "description");
        world.org.create(&admin, make("address1_line1")).await.unwrap();
        rule(&world, CardRule::Column(account, description, CardPolicy::Off)).await;
        let made = world.org.create(&admin, make("description")).await.unwrap();
        assert_eq!(shown(made.id, "description").await, text(NUMBER), "off is off");
        world.org.set_card_rule(&admin, CardRule::Column(account, description, CardPolicy::Off), false).await.unwrap();
        assert!(world.org.create(&admin, make("description")).await.unwrap().masked, "that of the table holds again");

        // Another node knows at once, and so does one that opens the database anew.
        let another = world.another_node().await;
        rule(&world, CardRule::Table(account, CardPolicy::Block)).await;
        let refused = another.create(&admin, make("description")).await;
        assert_refused(refused, "account", "description");

        // Only who may customise.
        let salesperson = world.user("sam", world.seeded.unit, &["Salesperson"]).await;
        let before = world.org.schema().card_rules().clone();
        let refused = world.org.set_card_rule(&salesperson, CardRule::Organization(CardPolicy::Off), true).await;
        assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
        for wrong in [
            CardRule::Table(TableId(987_654), CardPolicy::Off),
            CardRule::Column(account, ColumnId(60_000), CardPolicy::Off),
        ] {
            assert!(matches!(world.org.set_card_rule(&admin, wrong, true).await, Err(Error::Invalid(_))));
        }
        assert_eq!(*world.org.schema().card_rules(), before);
        let told: Vec<_> = world.org.audit_entries(None, 1_000, None).await.unwrap();
        let rules: Vec<_> = told.iter().filter(|entry| entry.entry.action == 10_003).collect();
        let of_accounts = |table| rules.iter().any(|entry| entry.entry.table == table && !entry.entry.row.is_nil());
        assert!(of_accounts(account) && of_accounts(world.table("organization")), "{rules:?}");
        let told: Vec<_> = rules.iter().filter_map(|entry| entry.entry.detail.as_deref()).collect();
        for expected in [
            "card numbers in the organisation: mask",
            "card numbers in account: warn",
            "card numbers in account.description: off",
            "card numbers in account.description: rule removed",
        ] {
            assert!(told.contains(&expected), "{expected}: {told:?}");
        }
    }

    pub async fn what_was_stored_before_is_masked_and_the_audit_does_not_tell_it(world: World) {
        let admin = world.admin();
        let (account, description) = place(&world, "account", "description");
        world.org.audit_table(&world.platform(), account, true).await.unwrap();
        rule(&world, CardRule::Organization(CardPolicy::Off)).await;
        let stored = [("name", text("Acme")), ("description", text(NUMBER)), ("address1_line1", text(DIGITS))];
        let id = world.create(&admin, "account", &stored).await;
        let gone = world.create(&admin, "account", &stored).await;
        rule(&world, CardRule::Organization(CardPolicy::Block)).await;

        let since = world.org.audit_entries(None, 1, None).await.unwrap()[0].number;
        let salesperson = world.user("sam", world.seeded.unit, &["Salesperson"]).await;
        let refused = world.org.mask_card_numbers(&salesperson, account, id).await;
        assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
        let done = world.org.mask_card_numbers(&world.platform(), account, id).await.unwrap();
        assert!(done.masked.contains(&description) && done.left.is_empty(), "{done:?}");
        let shown = world
            .select(
                &admin,
                "account",
                &["description", "address1_line1", "address1_composite"],
                &[("accountid", Value::Guid(id))],
            )
            .await;
        assert_eq!(shown, [[text(MASKED), text("************1111"), text("************1111")]]);
        let again = world.org.mask_card_numbers(&world.platform(), account, id).await.unwrap();
        assert_eq!(again, custodia_org::RecordMasked::default());
        // A change, and a delete, tell what was there without the number.
        let cleared = world.input("account", &[("description", Value::Null)]);
        world.org.update(&admin, world.reference("account", gone), cleared, Precondition::None).await.unwrap();
        world.org.delete(&admin, world.reference("account", gone), Precondition::None).await.unwrap();
        let told = world.org.audit_entries(None, 1_000, None).await.unwrap();
        let told: Vec<_> = told.into_iter().filter(|entry| entry.number > since).collect();
        let told = format!("{told:?}");
        assert!(told.contains(MASKED) && !tells(&told), "{told}");
    }

    pub async fn a_payment_reference_column_takes_nothing_else(world: World) {
        let admin = world.admin();
        let (account, id) = place(&world, "account", "address1_line2");
        let (_, revenue) = place(&world, "account", "revenue");
        let column = "address1_line2";
        rule(&world, CardRule::PaymentReference(account, id)).await;
        let make = |value: &str| world.input("account", &[("name", text("Acme")), (column, text(value))]);
        world.org.create(&admin, make("visa:1111:tok_1Nq5XyZ")).await.unwrap();
        for wrong in [DIGITS, "visa:1111:4111111111111111", "visa", "visa:11111:tok_1Nq5XyZ", "visa:1111:tok"] {
            let refused = world.org.create(&admin, make(wrong)).await.unwrap_err();
            assert!(matches!(&refused, Error::Value { fault: Fault::Type, .. }), "{refused:?}");
            assert!(!tells(&refused.to_string()));
        }
        let empty = world.input("account", &[("name", text("Beta")), (column, Value::Null)]);
        world.org.create(&admin, empty).await.unwrap();
        let wrong = world.org.set_card_rule(&admin, CardRule::PaymentReference(account, revenue), true).await;
        assert!(matches!(wrong, Err(Error::Invalid(_))), "{wrong:?}");
        world.org.set_card_rule(&admin, CardRule::PaymentReference(account, id), false).await.unwrap();
        world.org.create(&admin, make("anything")).await.unwrap();
    }

    #[test]
    fn whole_numbers_are_inspected_as_their_digits() {
        let schema = custodia_schema::standard();
        let column = schema.table_named("account").unwrap().column("revenue").unwrap();
        for value in [
            ValueRef::Integer(4_111_111_111_111_111),
            ValueRef::Integer(-4_111_111_111_111_111),
            ValueRef::Decimal(Decimal::new(411_111_111_111_111_100, 2)),
            ValueRef::Money(custodia_schema::Money(3_782_822_463_100_050_000)),
            ValueRef::Double(4_111_111_111_111_111.0),
        ] {
            assert_eq!(inspect(column, value), Inspection::Number, "{value:?}");
        }
        for value in [
            ValueRef::Null,
            ValueRef::Integer(4_111_111_111_111_112),
            ValueRef::Integer(i64::MIN),
            ValueRef::Decimal(Decimal::new(41_111_111_111_111_115, 1)),
            ValueRef::Double(f64::NAN),
            ValueRef::Double(1e300),
            ValueRef::Boolean(true),
        ] {
            assert_eq!(inspect(column, value), Inspection::Clean, "{value:?}");
        }
    }
}
