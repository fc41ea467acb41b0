//! Writes.

use custodia_access::{Authority, Denied, OwnerKind, Permit, Place, RightsMask, UnitPath, new_owner_may_hold};
use custodia_schema::Level::{Basic, Deep, Global, Local};
use custodia_schema::{Level, PrivilegeKind, standard};

use crate::people::{ANNE, BOB, EAST, HOME, Person, TEAM, id, table, unit_path};

const CREATE: &str = "prvCreateAccount";
const ASSIGN: &str = "prvAssignAccount";
const READ: &str = "prvReadAccount";

#[test]
fn a_row_gives_a_permit_only_when_reached() {
    let account = table("account");
    let authority = Person::anne().role(&[("prvWriteAccount", Basic)]).authority();
    let permit = authority.permit_row(PrivilegeKind::Write, &account, true).unwrap();
    assert_eq!((permit.table(), permit.kind()), (account.id, PrivilegeKind::Write));
    let denied = authority.permit_row(PrivilegeKind::Write, &account, false).unwrap_err();
    let expected = Denied::RowNotReached { user: ANNE, right: PrivilegeKind::Write, table: "account".to_owned() };
    assert_eq!((denied.code(), denied), (0x8004_0220, expected));
    // The gate comes first, whatever the store says of the row.
    let denied = authority.permit_row(PrivilegeKind::Delete, &account, true).unwrap_err();
    assert!(matches!(denied, Denied::MissingPrivilege { .. }));
}

#[test]
fn a_new_row_stands_where_the_level_reaches() {
    let account = table("account");
    let bob = Person::new(BOB, EAST).role(&[(READ, Basic)]);
    let bob_blind = Person::new(BOB, EAST).role(&[]);
    let owner = |person: &Person| person.as_owner(OwnerKind::User, &[]);
    let with = |level: Level| Person::anne().role(&[(CREATE, level), (ASSIGN, Basic)]).authority();

    assert!(with(Basic).permit_create(&account, Place::Caller).is_ok());
    for (level, reaches) in [(Basic, false), (Local, false), (Deep, true), (Global, true)] {
        let answer = with(level).permit_create(&account, Place::Owner(&owner(&bob)));
        assert_eq!(answer.is_ok(), reaches, "{level:?}: {answer:?}");
    }
    let denied = with(Global).permit_create(&account, Place::Owner(&owner(&bob_blind))).unwrap_err();
    assert_eq!(denied.code(), 0x8004_0231, "{denied}");
    let no_assign = Person::anne().role(&[(CREATE, Global)]).authority();
    let denied = no_assign.permit_create(&account, Place::Owner(&owner(&bob))).unwrap_err();
    assert!(denied.to_string().contains(ASSIGN), "{denied}");
    // Naming oneself as owner is the same as naming nobody: neither Read nor Assign is asked.
    let oneself = owner(&Person::anne().role(&[]));
    assert!(no_assign.permit_create(&account, Place::Owner(&oneself)).is_ok());
}

#[test]
fn a_team_role_for_the_team_alone_makes_rows_for_the_team_alone() {
    let account = table("account");
    let member = Person::anne().team_role(TEAM, EAST, true, &[(CREATE, Basic)]).authority();
    let team = Person::new(TEAM, EAST).role(&[(READ, Basic)]).as_owner(OwnerKind::Team, &[ANNE]);
    let other_team = Person::new(id(0x31), EAST).role(&[(READ, Basic)]).as_owner(OwnerKind::Team, &[ANNE]);
    assert!(member.permit_create(&account, Place::Owner(&team)).is_ok());
    assert!(member.permit_create(&account, Place::Owner(&other_team)).is_err());
    let denied = member.permit_create(&account, Place::Caller).unwrap_err();
    assert!(matches!(denied, Denied::PlaceNotReached { .. }), "{denied:?}");
    let both = Person::anne().team_role(TEAM, EAST, false, &[(CREATE, Basic)]).authority();
    assert!(both.permit_create(&account, Place::Caller).is_ok());
    assert!(both.permit_create(&account, Place::Owner(&other_team)).is_ok());
}

#[test]
fn another_unit_than_the_owners_has_to_be_in_reach_itself() {
    let account = table("account");
    let oneself = Person::anne().role(&[(READ, Basic)]).as_owner(OwnerKind::User, &[]);
    for (level, reaches) in [(Basic, false), (Local, false), (Deep, true), (Global, true)] {
        let authority = Person::anne().role(&[(CREATE, level)]).authority();
        let answer = authority.permit_create(&account, Place::OwnerIn(&oneself, &unit_path(EAST)));
        assert_eq!(answer.is_ok(), reaches, "{level:?}: {answer:?}");
    }
}

#[test]
fn a_place_of_the_wrong_kind_is_refused() {
    let every: Vec<(&str, Level)> =
        vec![(CREATE, Global), ("prvCreateProduct", Global), ("prvCreateUser", Global), ("prvWriteQuote", Global)];
    let authority = Person::anne().role(&every).authority();
    let home = unit_path(HOME);
    let places = [
        ("account", Place::Caller),
        ("product", Place::Organization),
        ("systemuser", Place::Unit(&home)),
        ("quotedetail", Place::Following { reached: true }),
    ];
    for (name, _) in places {
        for (fits, place) in places {
            let answer = authority.permit_create(&table(name), place);
            assert_eq!(answer.is_ok(), name == fits, "{name} in {place:?}: {answer:?}");
        }
    }
    let unreached = authority.permit_create(&table("quotedetail"), Place::Following { reached: false });
    assert!(matches!(unreached, Err(Denied::PlaceNotReached { .. })));
}

#[test]
fn rows_of_a_unit_are_made_where_the_level_reaches() {
    let user = table("systemuser");
    for (level, home, east) in [(Local, true, false), (Deep, true, true), (Global, true, true)] {
        let authority = Person::anne().role(&[("prvCreateUser", level)]).authority();
        assert_eq!(authority.permit_create(&user, Place::Unit(&unit_path(HOME))).is_ok(), home, "{level:?}");
        assert_eq!(authority.permit_create(&user, Place::Unit(&unit_path(EAST))).is_ok(), east, "{level:?}");
    }
}

#[test]
fn links_of_a_new_row_need_append_where_it_stands() {
    let account = table("account");
    let authority = Person::anne().role(&[(CREATE, Basic), ("prvAppendAccount", Basic)]).authority();
    assert_eq!(authority.check_append_new(&account, Place::Caller), Ok(()));
    let without = Person::anne().role(&[(CREATE, Basic)]).authority();
    assert!(matches!(without.check_append_new(&account, Place::Caller), Err(Denied::MissingPrivilege { .. })));
    let views = Person::anne().role(&[("prvCreateUserQuery", Basic)]).authority();
    assert_eq!(views.check_append_new(&table("userquery"), Place::Caller), Ok(()));
}

#[test]
fn a_row_made_for_the_user_one_acts_for_needs_the_privilege_alone() {
    let account = table("account");
    let act: (&str, Level) = ("prvActOnBehalfOfAnotherUser", Global);
    let bob = Person::new(BOB, EAST).role(&[(CREATE, Basic)]).rights();
    let anne = Person::anne().role(&[act, (CREATE, Basic)]).rights();
    let both = Authority::on_behalf(anne, bob.clone()).unwrap();
    assert!(both.permit_create(&account, Place::Caller).is_ok());
    let without = Person::anne().role(&[act]).rights();
    let both = Authority::on_behalf(without, bob).unwrap();
    assert!(matches!(both.permit_create(&account, Place::Caller), Err(Denied::MissingPrivilege { user: ANNE, .. })));
}

#[test]
fn a_new_owner_must_be_able_to_own() {
    let account = table("account");
    let reader = Person::new(BOB, EAST).role(&[(READ, Basic)]);
    assert_eq!(new_owner_may_hold(&reader.as_owner(OwnerKind::User, &[]), &account), Ok(()));
    let disabled = reader.clone().disabled().as_owner(OwnerKind::User, &[]);
    assert_eq!(new_owner_may_hold(&disabled, &account), Err(Denied::OwnerDisabled { owner: BOB }));
    let access_team = reader.as_owner(OwnerKind::AccessTeam, &[]);
    assert_eq!(new_owner_may_hold(&access_team, &account).unwrap_err().code(), 0x8004_8340);
    let mut closed_unit = reader.as_owner(OwnerKind::User, &[]);
    closed_unit.unit = UnitPath { disabled: true, ..unit_path(EAST) };
    assert_eq!(new_owner_may_hold(&closed_unit, &account).unwrap_err().code(), 0x8004_032d);
    let blind = Person::new(BOB, EAST).role(&[("prvWriteAccount", Global)]).as_owner(OwnerKind::User, &[]);
    assert_eq!(new_owner_may_hold(&blind, &account).unwrap_err().code(), 0x8004_0231);
}

#[test]
fn assigning_needs_assign_and_write_on_the_row() {
    let account = table("account");
    let owner = Person::new(BOB, EAST).role(&[(READ, Basic)]).as_owner(OwnerKind::User, &[]);
    let authority = Person::anne().role(&[(ASSIGN, Basic), ("prvWriteAccount", Basic)]).authority();
    let held = |text: &str| text.parse::<RightsMask>().unwrap();
    let permit = authority.permit_assign(&account, held("WriteAccess, AssignAccess"), &owner).unwrap();
    assert_eq!(permit.kind(), PrivilegeKind::Assign);
    for lacking in ["AssignAccess", "WriteAccess", "None"] {
        assert!(authority.permit_assign(&account, held(lacking), &owner).is_err(), "{lacking}");
    }
    let no_owner = authority.permit_assign(&table("product"), RightsMask::ALL, &owner);
    assert!(matches!(no_owner, Err(Denied::NotApplicable { .. })));
}

#[test]
fn nobody_shares_more_than_they_hold() {
    let account = table("account");
    let authority = Person::anne().role(&[("prvShareAccount", Basic)]).authority();
    let held: RightsMask = "ReadAccess, WriteAccess, ShareAccess".parse().unwrap();
    assert_eq!(
        authority.permit_share(&account, held, RightsMask(3)).map(|permit| permit.kind()),
        Ok(PrivilegeKind::Share)
    );
    let denied = authority.permit_share(&account, held, RightsMask(3 | 65_536)).unwrap_err();
    assert!(denied.to_string().contains("DeleteAccess") && !denied.to_string().contains("ReadAccess"), "{denied}");
    for mask in [0, 8, RightsMask::INHERITED_MARK | 1] {
        let denied = authority.permit_share(&account, held, RightsMask(mask)).unwrap_err();
        assert_eq!(denied.code(), 0x8004_020d, "{mask:#x}");
    }
    let without_share = authority.permit_share(&account, RightsMask(1), RightsMask(1));
    assert!(matches!(without_share, Err(Denied::RowNotReached { right: PrivilegeKind::Share, .. })));
}

#[test]
fn a_permit_reaches_children_as_the_relationship_says() {
    let schema = standard();
    let authority = Authority::platform("test");
    let cascade = |kind, name: &str| {
        let relationship = schema.one_to_many().iter().find(|relationship| relationship.name == name).unwrap();
        let parent = schema.table(relationship.referenced).unwrap();
        let permit = authority.permit_row(kind, parent, true).unwrap().cascade(relationship);
        permit.map(|permit| {
            assert_eq!(permit.table(), relationship.referencing);
            permit.kind()
        })
    };
    use PrivilegeKind::{Assign, Delete, Read, Share, Write};
    for (kind, name, expected) in [
        (Delete, "contact_customer_accounts", Some(Delete)),
        (Assign, "contact_customer_accounts", Some(Assign)),
        (Share, "contact_customer_accounts", Some(Share)),
        (Write, "contact_customer_accounts", None),
        (Read, "contact_customer_accounts", None),
        (Delete, "account_parent_account", Some(Write)),
        (Share, "opportunity_quotes", None),
        (Assign, "opportunity_quotes", Some(Assign)),
        (Delete, "invoice_customer_accounts", None),
    ] {
        assert_eq!(cascade(kind, name), expected, "{kind:?} {name}");
    }
    let other = schema.one_to_many().iter().find(|relationship| relationship.name == "opportunity_quotes").unwrap();
    let permit = authority.permit_row(Delete, &table("account"), true).unwrap();
    assert_eq!(permit.cascade(other), None, "a permit for accounts says nothing about opportunities");
}

#[test]
fn only_the_platform_gets_permits_without_a_check() {
    let account = table("account");
    let permit = Permit::platform(&Authority::platform("import"), &account, PrivilegeKind::Create).unwrap();
    assert_eq!((permit.table(), permit.kind()), (account.id, PrivilegeKind::Create));
    let everything: Vec<(&str, Level)> = vec![(CREATE, Global), (READ, Global)];
    let user = Person::anne().role(&everything).authority();
    let denied = Permit::platform(&user, &account, PrivilegeKind::Create).unwrap_err();
    assert!(matches!(denied, Denied::NotPlatform { .. }));
}
