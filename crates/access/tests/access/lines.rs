//! Rows that follow other rows.

use custodia_access::{Denied, Own, ParentAccess, RightsMask, RowAccess, RowArms, append_kind, append_to_kind};
use custodia_schema::Level::{Basic, Global, Local};
use custodia_schema::{ManyToMany, PrivilegeKind, RowSecurity, standard};

use crate::people::{ANNE, HOME, Person, column, table};

fn local(kind: PrivilegeKind) -> RowAccess {
    let (units, subtrees) = (vec![HOME], Vec::new());
    let shared = Some(RightsMask::of(kind));
    RowAccess::Arms(RowArms { user: ANNE, own: Own::UserAndTeams, units, subtrees, shared, reports: None })
}

fn through(line: &str, lookup: &str, parent: &str, access: RowAccess) -> RowAccess {
    let lookup = column(&table(line), lookup);
    RowAccess::Parent(vec![ParentAccess { lookup, table: table(parent).id, access: Some(Box::new(access)) }])
}

#[test]
fn a_right_on_a_line_is_a_right_on_its_parent() {
    let line = table("quotedetail");
    let reader = Person::anne().role(&[("prvReadQuote", Local)]).authority();
    let expected = through("quotedetail", "quoteid", "quote", local(PrivilegeKind::Read));
    assert_eq!(reader.rows(&line, PrivilegeKind::Read), Ok(expected));
    assert!(matches!(reader.rows(&line, PrivilegeKind::Create), Err(Denied::MissingPrivilege { .. })));

    // Removing a line is writing the quote: the privilege to delete quotes is neither needed nor enough.
    let writer = Person::anne().role(&[("prvWriteQuote", Local)]).authority();
    for kind in [PrivilegeKind::Create, PrivilegeKind::Write, PrivilegeKind::Delete, PrivilegeKind::Append] {
        let expected = through("quotedetail", "quoteid", "quote", local(PrivilegeKind::Write));
        assert_eq!(writer.rows(&line, kind), Ok(expected), "{kind:?}");
    }
    let deleter = Person::anne().role(&[("prvDeleteQuote", Local), ("prvCreateQuote", Local)]).authority();
    let denied = deleter.rows(&line, PrivilegeKind::Delete).unwrap_err();
    assert!(denied.to_string().contains("prvWriteQuote"), "{denied}");
    for kind in [PrivilegeKind::Assign, PrivilegeKind::Share] {
        let all = Person::anne().role(&[("prvAssignQuote", Global), ("prvShareQuote", Global)]).authority();
        assert!(matches!(all.rows(&line, kind), Err(Denied::NotApplicable { .. })), "{kind:?}");
    }
}

#[test]
fn lines_are_open_where_every_parent_is() {
    let all = Person::anne().role(&[("prvReadQuote", Global)]).authority();
    assert_eq!(all.rows(&table("quotedetail"), PrivilegeKind::Read), Ok(RowAccess::All));
}

#[test]
fn a_line_table_with_privileges_of_its_own_needs_them_too() {
    let address = table("customeraddress");
    let RowSecurity::Parent { lookups } = &address.security else { panic!("{:?}", address.security) };
    let targets = address.column_by_id(lookups[0]).unwrap().kind.targets();
    assert!(targets.contains(&table("account").id) && targets.contains(&table("contact").id));

    let without_own = Person::anne().role(&[("prvReadAccount", Global), ("prvReadContact", Global)]).authority();
    let denied = without_own.rows(&address, PrivilegeKind::Read).unwrap_err();
    assert!(denied.to_string().contains("prvReadCustomerAddress"), "{denied}");

    let own = Person::anne().role(&[("prvReadCustomerAddress", Basic), ("prvReadAccount", Local)]).authority();
    match own.rows(&address, PrivilegeKind::Read) {
        Ok(RowAccess::Parent(entries)) => {
            for entry in entries {
                let is_account = entry.table == table("account").id;
                let expected = is_account.then(|| Box::new(local(PrivilegeKind::Read)));
                assert_eq!(entry.access, expected, "{}", entry.table);
            }
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_link_is_read_with_both_ends_and_made_with_append_on_both() {
    let link = table("opportunitycompetitors");
    let one = Person::anne().role(&[("prvReadOpportunity", Local)]).authority();
    let denied = one.rows(&link, PrivilegeKind::Read).unwrap_err();
    assert!(denied.to_string().contains("prvReadCompetitor"), "{denied}");

    let both = Person::anne().role(&[("prvReadOpportunity", Local), ("prvReadCompetitor", Global)]).authority();
    let expected = through("opportunitycompetitors", "opportunityid", "opportunity", local(PrivilegeKind::Read));
    assert_eq!(both.rows(&link, PrivilegeKind::Read), Ok(expected));
    assert!(matches!(both.rows(&link, PrivilegeKind::Create), Err(Denied::MissingPrivilege { .. })));

    let maker = Person::anne().role(&[("prvAppendOpportunity", Local), ("prvAppendCompetitor", Global)]).authority();
    for kind in [PrivilegeKind::Create, PrivilegeKind::Delete] {
        let expected = through("opportunitycompetitors", "opportunityid", "opportunity", local(PrivilegeKind::Append));
        assert_eq!(maker.rows(&link, kind), Ok(expected), "{kind:?}");
    }
    assert!(matches!(maker.rows(&link, PrivilegeKind::Write), Err(Denied::NotApplicable { .. })));
}

#[test]
fn both_ends_are_tested_where_neither_is_open_to_all() {
    let both = Person::anne().role(&[("prvReadAccount", Local), ("prvReadLead", Local)]).authority();
    match both.rows(&table("accountleads"), PrivilegeKind::Read) {
        Ok(RowAccess::Every(ends)) => assert_eq!(ends.len(), 2),
        other => panic!("{other:?}"),
    }
}

/// Every table of the standard schema can be reached by somebody: no table is closed by a slip in its files.
#[test]
fn somebody_with_every_privilege_reads_every_table() {
    let schema = standard();
    let names: Vec<(&str, custodia_schema::Level)> =
        schema.privileges().iter().map(|privilege| (privilege.name.as_str(), Global)).collect();
    let authority = Person::anne().role(&names).authority();
    for table in schema.tables() {
        let access = authority.rows(table, PrivilegeKind::Read);
        let only_basic = table.privilege(PrivilegeKind::Read).is_some_and(|read| read.levels == [Basic]);
        match access {
            Ok(RowAccess::All) => assert!(!only_basic, "{}", table.name),
            Ok(_) => assert!(only_basic, "{}: not everything is reached", table.name),
            Err(denied) => panic!("{}: {denied}", table.name),
        }
    }
}

#[test]
fn every_intersect_has_both_its_ends() {
    let schema = standard();
    for intersect in schema.tables().iter().filter(|table| table.security == RowSecurity::Intersect) {
        let links: Vec<&ManyToMany> =
            schema.many_to_many().iter().filter(|link| link.intersect == intersect.id).collect();
        assert!(!links.is_empty(), "{} is the intersect of no relationship: nobody could read it", intersect.name);
    }
}

#[test]
fn linking_asks_for_what_somebody_can_hold() {
    let cases = [
        ("account", PrivilegeKind::Append, PrivilegeKind::AppendTo),
        ("task", PrivilegeKind::Append, PrivilegeKind::AppendTo),
        ("quotedetail", PrivilegeKind::Append, PrivilegeKind::AppendTo),
        ("userquery", PrivilegeKind::Write, PrivilegeKind::Read),
        ("savedquery", PrivilegeKind::Write, PrivilegeKind::Read),
    ];
    for (name, append, append_to) in cases {
        assert_eq!((append_kind(&table(name)), append_to_kind(&table(name))), (append, append_to), "{name}");
    }
}
