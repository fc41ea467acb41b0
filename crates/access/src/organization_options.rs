//! The switches of an organisation that stand in one text, `organization.orgdborgsettings`, as far as rights depend on them.

/// Nodes of the text at most.
const NODES_MAX: u32 = 10_000;

/// What `orgdborgsettings` says: `<OrgSettings><Name>value</Name>…</OrgSettings>`. Names that are not known are kept in the
/// text and mean nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrganizationOptions {
    /// `EnableOwnershipAcrossBusinessUnits`: rows may sit in other units than their owners, and users hold roles of other
    /// units. Off unless switched on.
    pub ownership_across_units: bool,
    /// `ManagersMustBeInSameOrParentBusinessUnitAsReports`: a manager sits in the unit of whom they manage, or above it. On
    /// unless switched off.
    pub managers_above_reports: bool,
}

impl Default for OrganizationOptions {
    fn default() -> Self {
        Self { ownership_across_units: false, managers_above_reports: true }
    }
}

/// Why a text of options is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrganizationOptionsError {
    /// It is not well-formed, or too large.
    #[error("orgdborgsettings is not well-formed XML: {0}")]
    Malformed(String),
    /// It has another root.
    #[error("orgdborgsettings begins with <{0}>; expected <OrgSettings>")]
    Root(String),
    /// A switch is neither on nor off.
    #[error("{name} in orgdborgsettings is '{value}'; expected true or false")]
    Switch {
        /// The switch.
        name: String,
        /// What it is set to.
        value: String,
    },
}

impl OrganizationOptions {
    /// Reads the text. Costs a pass over it.
    ///
    /// # Errors
    /// When it is not what the column is for.
    pub fn read(text: &str) -> Result<Self, OrganizationOptionsError> {
        let mut options = Self::default();
        if text.trim().is_empty() {
            return Ok(options);
        }
        if custodia_schema::markup::is_costly(text) {
            return Err(OrganizationOptionsError::Malformed("an element has too many attributes".to_owned()));
        }
        let limits = roxmltree::ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..Default::default() };
        let document = roxmltree::Document::parse_with_options(text, limits)
            .map_err(|error| OrganizationOptionsError::Malformed(error.to_string()))?;
        let root = document.root_element();
        if root.tag_name().name() != "OrgSettings" {
            return Err(OrganizationOptionsError::Root(root.tag_name().name().to_owned()));
        }
        for element in root.children().filter(roxmltree::Node::is_element) {
            let switch = match element.tag_name().name() {
                "EnableOwnershipAcrossBusinessUnits" => &mut options.ownership_across_units,
                "ManagersMustBeInSameOrParentBusinessUnitAsReports" => &mut options.managers_above_reports,
                _ => continue,
            };
            let value = element.text().unwrap_or_default().trim();
            *switch = match value {
                "true" | "True" | "1" => true,
                "false" | "False" | "0" => false,
                _ => {
                    let name = element.tag_name().name().to_owned();
                    return Err(OrganizationOptionsError::Switch { name, value: value.to_owned() });
                }
            };
        }
        Ok(options)
    }

    /// Reads what is stored: a text that says nothing sensible switches nothing.
    #[must_use]
    pub fn stored(text: Option<&str>) -> Self {
        text.and_then(|text| Self::read(text).ok()).unwrap_or_default()
    }
}
