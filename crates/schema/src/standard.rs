//! The standard CRM tables, compiled into the program.

use std::sync::{Arc, OnceLock};

use crate::{Guid, Schema, load};

/// Name and text of each file.
macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../standard/", $name)))),*]
    };
}

/// The data files of the standard tables, as name and text: what [`load`] reads.
#[must_use]
pub fn standard_files() -> &'static [(&'static str, &'static str)] {
    FILES
}

/// The standard tables, parsed on the first call and shared by the whole process.
#[must_use]
pub fn standard() -> Arc<Schema> {
    static STANDARD: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(STANDARD.get_or_init(|| Arc::new(parse())))
}

/// What the program describes of itself, in a hash: its version and its tables.
pub(crate) fn program() -> Guid {
    static PROGRAM: OnceLock<Guid> = OnceLock::new();
    *PROGRAM.get_or_init(|| {
        let version = Guid::new_v5(&Guid::nil(), env!("CARGO_PKG_VERSION").as_bytes());
        standard_files().iter().fold(version, |so_far, (_, text)| Guid::new_v5(&so_far, text.as_bytes()))
    })
}

#[expect(
    clippy::panic,
    reason = "the files are part of the program and a test loads them, so a fault in them cannot reach a running server"
)]
fn parse() -> Schema {
    match load(standard_files()) {
        Ok(schema) => schema,
        Err(fault) => panic!("the data files compiled into this program are faulty: {fault}"),
    }
}

/// Every file of the folder `standard`; a test compares the two.
static FILES: &[(&str, &str)] = files![
    "account.toml",
    "accountleads.toml",
    "activitymimeattachment.toml",
    "activityparty.toml",
    "activitypointer.toml",
    "annotation.toml",
    "appmodule.toml",
    "appmoduleroles.toml",
    "appointment.toml",
    "asyncoperation.toml",
    "attributemaskingrule.toml",
    "audit.toml",
    "bulkdeleteoperation.toml",
    "businessunit.toml",
    "campaign.toml",
    "campaignactivity.toml",
    "campaignactivityitem.toml",
    "campaignitem.toml",
    "campaignresponse.toml",
    "competitor.toml",
    "competitorproduct.toml",
    "competitorsalesliterature.toml",
    "connection.toml",
    "connectionrole.toml",
    "connectionroleassociation.toml",
    "contact.toml",
    "contactleads.toml",
    "contract.toml",
    "customeraddress.toml",
    "defaults.toml",
    "discount.toml",
    "discounttype.toml",
    "duplicaterule.toml",
    "duplicaterulecondition.toml",
    "email.toml",
    "entitlement.toml",
    "entitlementproducts.toml",
    "fax.toml",
    "fieldpermission.toml",
    "fieldsecurityprofile.toml",
    "goal.toml",
    "import.toml",
    "importfile.toml",
    "importmap.toml",
    "incident.toml",
    "incidentresolution.toml",
    "invoice.toml",
    "invoicedetail.toml",
    "knowledgearticle.toml",
    "lead.toml",
    "leadcompetitors.toml",
    "leadproduct.toml",
    "letter.toml",
    "list.toml",
    "listmember.toml",
    "many-to-many.toml",
    "maskingrule.toml",
    "metric.toml",
    "opportunity.toml",
    "opportunityclose.toml",
    "opportunitycompetitors.toml",
    "opportunityproduct.toml",
    "option-sets.toml",
    "orderclose.toml",
    "organization.toml",
    "phonecall.toml",
    "position.toml",
    "pricelevel.toml",
    "principalobjectaccess.toml",
    "principalobjectattributeaccess.toml",
    "privilege.toml",
    "privileges.toml",
    "product.toml",
    "productpricelevel.toml",
    "productsalesliterature.toml",
    "publisher.toml",
    "queue.toml",
    "queueitem.toml",
    "queuemembership.toml",
    "quote.toml",
    "quoteclose.toml",
    "quotedetail.toml",
    "role.toml",
    "roleprivileges.toml",
    "roles.toml",
    "roletemplate.toml",
    "roletemplateprivileges.toml",
    "salesliterature.toml",
    "salesorder.toml",
    "salesorderdetail.toml",
    "savedquery.toml",
    "savedqueryvisualization.toml",
    "site.toml",
    "sitemap.toml",
    "sla.toml",
    "solution.toml",
    "subject.toml",
    "systemform.toml",
    "systemuser.toml",
    "systemuserprofiles.toml",
    "systemuserroles.toml",
    "task.toml",
    "team.toml",
    "teammembership.toml",
    "teamprofiles.toml",
    "teamroles.toml",
    "teamtemplate.toml",
    "template.toml",
    "territory.toml",
    "transactioncurrency.toml",
    "uom.toml",
    "uomschedule.toml",
    "userquery.toml",
    "usersettings.toml",
    "webresource.toml",
    "workflow.toml",
];
