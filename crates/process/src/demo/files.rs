//! Which data is brought in by which mapping, in order: what is linked to comes before what links to it.

/// A data file and its mapping.
pub(super) struct File {
    pub mapping_name: &'static str,
    pub mapping: &'static str,
    pub data_name: &'static str,
    pub data: &'static [u8],
}

/// Files by their paths below `demo`, mapping and data.
macro_rules! files {
    ($($mapping:literal: $data:literal),* $(,)?) => {
        &[$(File {
            mapping_name: concat!("demo/", $mapping),
            mapping: include_str!(concat!("../../../../demo/", $mapping)),
            data_name: concat!("demo/", $data),
            data: include_bytes!(concat!("../../../../demo/", $data)),
        }),*]
    };
}

pub(super) const DEMO_PEOPLE: &[File] = files! {
    "units.toml": "crm-sales-opportunities/sales_teams.csv",
    "managers.toml": "crm-sales-opportunities/sales_teams.csv",
    "sellers.toml": "crm-sales-opportunities/sales_teams.csv",
    "people.toml": "custodia/people.csv",
};

pub(super) const DEMO_RECORDS: &[File] = files! {
    "currencies.toml": "iso-currencies/codes-all.csv",
    "unit-groups.toml": "custodia/unit-groups.csv",
    "units-of-measure.toml": "custodia/units.csv",
    "price-lists.toml": "custodia/price-lists.csv",
    "products.toml": "crm-sales-opportunities/products.csv",
    "prices.toml": "crm-sales-opportunities/products.csv",
    "accounts.toml": "crm-sales-opportunities/accounts.csv",
    "opportunities.toml": "crm-sales-opportunities/sales_pipeline.csv",
    "opportunity-lines.toml": "crm-sales-opportunities/sales_pipeline.csv",
    "companies.toml": "chinook/customers.csv",
    "contacts.toml": "chinook/customers.csv",
    "boroughs.toml": "nyc-311-animal-requests/requests.csv",
    "subjects.toml": "nyc-311-animal-requests/requests.csv",
    "requests.toml": "nyc-311-animal-requests/requests.csv",
};

pub(super) const DEMO2_PEOPLE: &[File] = files! {
    "people-units.toml": "custodia/people-of-demo2.csv",
    "people.toml": "custodia/people-of-demo2.csv",
};

pub(super) const DEMO2_RECORDS: &[File] = files! {
    "sp500.toml": "sp500-companies/constituents.csv",
};
