//! The one gate: every operation on an organisation's records is validated, authorised, executed, audited and announced
//! here, in one transaction. It knows nothing of HTTP.
//!
//! Start at [`Organization`], the handle of one organisation: `query` and `retrieve` read, the others write. Each takes
//! a [`Caller`]; there is no variant without one. What a write does step by step is in `writing.rs` and its siblings, one
//! operation per file.

mod about;
mod administration;
mod aggregate;
mod asker;
mod assign;
mod audit_detail;
mod audit_keeping;
mod audit_log;
mod auditing;
mod by_name;
mod caller;
mod card_numbers;
mod cascade;
mod cascade_walk;
mod changes;
mod column_permission;
mod column_sharing;
mod companions;
mod create;
mod credentials;
mod customization;
mod definitions;
mod delete;
mod describing;
mod duties;
mod error;
mod explaining;
mod exporting;
mod granting;
mod hierarchy;
mod history;
mod identity;
mod indexes;
mod input;
mod job_step;
mod jobs;
mod limits;
mod link;
mod lint;
mod masking;
mod merge;
mod model;
mod money;
mod names;
mod organization;
mod ownership;
mod read_auditing;
mod reading;
mod record_question;
mod record_team;
mod roles;
mod seed;
mod settings;
mod share;
mod supposing;
mod telling;
mod tracking;
mod update;
mod user_interface;
mod validate;
mod writing;

pub use about::About;
pub use aggregate::TOO_MANY_AGGREGATED;
pub use audit_detail::{AuditDetail, PrivilegeChange};
pub use auditing::DescriptionChange;
pub use caller::{Caller, Origin, read_origin};
pub use card_numbers::{Inspection, RecordMasked, inspect};
pub use cascade_walk::{CascadeItem, CascadeWalk, WALKED_MAX};
pub use changes::{Change, Changed};
pub use credentials::{Credential, CredentialKind};
pub use duties::{Duty, DutyConflict, DutyRule};
pub use error::{Error, Fault, Result};
pub use explaining::{
    AccessQuestion, Asked, ColumnOpening, Explanation, Granted, Named, Reached, RightQuestion, SharedBy,
};
pub use history::{HISTORY_PAGE_MAX, History, HistoryPage, Told};
pub use identity::{User, WhoAmI};
pub use input::{Input, Precondition, RecordInput, Reference};
pub use job_step::{RowsToDelete, Stepped};
pub use jobs::{
    BULK_DELETE, BulkDelete, JOBS_READ_MAX, Job, JobBell, JobEnd, JobProgress, JobTerms, JobWait, query_limits,
};
pub use limits::WorkLimits;
pub use link::LinkRequest;
pub use lint::{Finding, LintBounds, Severity};
pub use merge::MergeRequest;
pub use organization::Organization;
pub use reading::{Answer, Rows};
pub use record_question::RecordQuestion;
pub use record_team::RecordTeamMember;
pub use roles::RoleChange;
pub use seed::{NewOrganization, Seeded};
pub use settings::{Currency, UserSettings};
pub use share::Share;
pub use supposing::{Supposed, Supposition};
pub use telling::{HeldPrivilege, Principal};
pub use tracking::{Moment, TRACKED_SECONDS, TableChanges};
pub use user_interface::TableInterface;
pub use writing::{Upserted, Written};

/// What a sink takes and what the store answers, for those above that know no store.
pub use custodia_interface::Limits as DefinitionLimits;
pub use custodia_store::{
    AdviceBounds, Error as StoreError, IndexAdvice, IndexListed, IndexReport, QuestionShape, Restart, Row, RowKey,
    RowSink, with_causes,
};
