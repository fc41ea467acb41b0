//! Who stands below a user, and the switches that say whether it counts.

use custodia_access::{Chain, OrganizationOptions, OrganizationOptionsError, Reports, RowAccess};
use custodia_schema::Level::{Basic, Deep, Global, Local};
use custodia_schema::PrivilegeKind;

use crate::people::{EAST, HOME, Person, TEAM, table};

const BELOW: Reports = Reports { chain: Chain::Managers { within: Some(HOME) }, depth: 3 };

fn reports(person: &Person, name: &str, kind: PrivilegeKind) -> Option<Reports> {
    match person.authority().rows(&table(name), kind) {
        Ok(RowAccess::Arms(arms)) => arms.reports,
        _ => None,
    }
}

#[test]
fn reading_goes_down_and_changing_goes_one_step() {
    let names = PrivilegeKind::ALL.map(|kind| format!("prv{}Account", kind.word()));
    for level in [Basic, Local, Deep] {
        let held = names.each_ref().map(|name| (name.as_str(), level));
        let person = Person::anne().above(BELOW).role(&held);
        for kind in PrivilegeKind::ALL {
            let expected = match kind {
                PrivilegeKind::Read => Some(3),
                PrivilegeKind::Write | PrivilegeKind::Append | PrivilegeKind::AppendTo => Some(1),
                _ => None,
            };
            let depth = reports(&person, "account", kind).map(|reports| reports.depth);
            assert_eq!(depth, expected, "{kind:?} {level:?}");
        }
    }
}

#[test]
fn only_owned_rows_and_rights_that_are_the_users_own() {
    let read = PrivilegeKind::Read;
    let person = Person::anne().above(BELOW).role(&[("prvReadAccount", Basic), ("prvReadUser", Local)]);
    assert_eq!(reports(&person, "account", read), Some(BELOW));
    assert_eq!(reports(&person, "systemuser", read), None, "rows of a unit");
    assert_eq!(reports(&person, "contact", read), None, "behind the gate");
    assert!(person.authority().rows(&table("contact"), read).is_err());
    let team_only = Person::anne().above(BELOW).team_role(TEAM, EAST, true, &[("prvReadAccount", Basic)]);
    assert_eq!(reports(&team_only, "account", read), None);
    let wider = team_only.team_role(TEAM, EAST, false, &[("prvReadAccount", Basic)]);
    assert_eq!(reports(&wider, "account", read), Some(BELOW));
    let everything = Person::anne().above(BELOW).role(&[("prvReadAccount", Global)]);
    assert_eq!(everything.authority().rows(&table("account"), read), Ok(RowAccess::All));
}

#[test]
fn options_are_read_and_what_is_none_is_refused() {
    let read = OrganizationOptions::read;
    assert_eq!(read(""), Ok(OrganizationOptions::default()));
    assert_eq!(read("<OrgSettings/>"), Ok(OrganizationOptions::default()));
    let both = "<OrgSettings><Other a='1'>x</Other><EnableOwnershipAcrossBusinessUnits> true </EnableOwnershipAcrossBusinessUnits>\
                <ManagersMustBeInSameOrParentBusinessUnitAsReports>false</ManagersMustBeInSameOrParentBusinessUnitAsReports></OrgSettings>";
    let expected = OrganizationOptions { ownership_across_units: true, managers_above_reports: false };
    assert_eq!(read(both), Ok(expected));
    assert_eq!(OrganizationOptions::stored(Some(both)), expected);
    for (text, is_expected) in [
        ("<OrgSettings>", matches!(read("<OrgSettings>"), Err(OrganizationOptionsError::Malformed(_)))),
        ("<Settings/>", matches!(read("<Settings/>"), Err(OrganizationOptionsError::Root(_)))),
    ] {
        assert!(is_expected, "{text}");
        assert_eq!(OrganizationOptions::stored(Some(text)), OrganizationOptions::default());
    }
    let unclear =
        "<OrgSettings><EnableOwnershipAcrossBusinessUnits>yes</EnableOwnershipAcrossBusinessUnits></OrgSettings>";
    assert!(matches!(read(unclear), Err(OrganizationOptionsError::Switch { .. })));
    let large = format!("<OrgSettings>{}</OrgSettings>", "<a/>".repeat(20_000));
    assert!(matches!(read(&large), Err(OrganizationOptionsError::Malformed(_))));
}
