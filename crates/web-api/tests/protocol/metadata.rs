//! Descriptions of tables, columns, relationships and options, and the document that clients are generated from.

use crate::on_both_engines;

on_both_engines! {
    tables_are_described;
    columns_are_described;
    options_are_described;
    relationships_are_described;
    descriptions_are_chosen_and_expanded;
    operations_are_looked_up_by_table;
    tables_are_described_whole;
    what_is_not_there_is_said;
    who_may_do_nothing_reads_no_descriptions;
    changes_of_descriptions;
    questions_about_descriptions_have_limits;
    the_metadata_document;
}

mod bodies {
    use std::collections::{BTreeMap, BTreeSet};

    use roxmltree::{Document, Node};
    use serde_json::{Value as Json, json};

    use crate::world::{ROOT, World};

    async fn get(world: &World, target: &str) -> Json {
        world.get(target).await
    }

    fn names<'b>(body: &'b Json, property: &str) -> Vec<&'b str> {
        body["value"].as_array().unwrap().iter().map(|item| item[property].as_str().unwrap()).collect()
    }

    pub async fn tables_are_described(world: World) {
        let all = get(&world, "EntityDefinitions?$select=LogicalName").await;
        assert_eq!(all["@odata.context"], format!("{ROOT}$metadata#EntityDefinitions(LogicalName)"));
        assert_eq!(all["value"].as_array().unwrap().len(), world.org.schema().tables().len());
        assert!(names(&all, "LogicalName").contains(&"opportunity"));
        assert!(all["value"][0]["MetadataId"].is_string() && all["value"][0].get("SchemaName").is_none(), "{all}");

        let account = get(&world, "EntityDefinitions(LogicalName='account')").await;
        assert_eq!(account["@odata.context"], format!("{ROOT}$metadata#EntityDefinitions/$entity"));
        for (name, expected) in [
            ("LogicalName", json!("account")),
            ("SchemaName", json!("Account")),
            ("EntitySetName", json!("accounts")),
            ("LogicalCollectionName", json!("accounts")),
            ("CollectionSchemaName", json!("Accounts")),
            ("PrimaryIdAttribute", json!("accountid")),
            ("PrimaryNameAttribute", json!("name")),
            ("ObjectTypeCode", json!(1)),
            ("OwnershipType", json!("UserOwned")),
            ("IsActivity", json!(false)),
            ("IsIntersect", json!(false)),
            ("IsPrivate", json!(false)),
            ("IsCustomEntity", json!(false)),
            ("HasNotes", json!(true)),
            ("HasActivities", json!(true)),
            ("IsOptimisticConcurrencyEnabled", json!(true)),
            ("TableType", json!("Standard")),
            ("DataProviderId", Json::Null),
        ] {
            assert_eq!(account[name], expected, "{name}");
        }
        assert_eq!(account["DisplayName"]["UserLocalizedLabel"]["Label"], "Account");
        assert_eq!(account["DisplayName"]["LocalizedLabels"][0]["LanguageCode"], 1033);
        assert_eq!(account["DisplayCollectionName"]["UserLocalizedLabel"]["Label"], "Accounts");
        assert_eq!(
            account["IsCustomizable"],
            json!({"Value": true, "CanBeChanged": true, "ManagedPropertyLogicalName": "iscustomizable"})
        );
        let privileges = account["Privileges"].as_array().unwrap();
        assert!(privileges.iter().any(|privilege| privilege["Name"] == "prvReadAccount"), "{privileges:?}");
        assert!(account.get("Attributes").is_none(), "navigations are shown when they are asked for");

        // By id it is the same, in another organisation too.
        let id = account["MetadataId"].as_str().unwrap();
        for key in [id.to_owned(), id.to_uppercase(), format!("{{{id}}}"), format!("MetadataId={id}")] {
            assert_eq!(get(&world, &format!("EntityDefinitions({key})")).await, account, "{key}");
        }
        assert_eq!(id, custodia_schema::description_id("EntityMetadata", "account").to_string());
        assert_eq!(get(&world, "EntityDefinitions(SchemaName='Account')").await, account);

        let name = get(&world, "EntityDefinitions(LogicalName='account')/PrimaryIdAttribute").await;
        assert_eq!(name["value"], "accountid");
        let label = get(&world, "EntityDefinitions(LogicalName='account')/DisplayName").await;
        assert_eq!(label["UserLocalizedLabel"]["Label"], "Account");
        let raw = world.ask("GET", "EntityDefinitions(LogicalName='account')/EntitySetName/$value", &[], "").await;
        assert_eq!((raw.status, raw.text()), (200, "accounts"));
    }

    pub async fn columns_are_described(world: World) {
        let attributes = get(&world, "EntityDefinitions(LogicalName='account')/Attributes?$select=LogicalName").await;
        let count = world.org.schema().table_named("account").unwrap().columns().len();
        assert_eq!(attributes["value"].as_array().unwrap().len(), count);
        let types: BTreeMap<&str, &str> = attributes["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| (item["LogicalName"].as_str().unwrap(), item["@odata.type"].as_str().unwrap()))
            .collect();
        for (column, kind) in [
            ("name", "String"),
            ("description", "Memo"),
            ("numberofemployees", "Integer"),
            ("versionnumber", "BigInt"),
            ("exchangerate", "Decimal"),
            ("address1_latitude", "Double"),
            ("revenue", "Money"),
            ("creditonhold", "Boolean"),
            ("createdon", "DateTime"),
            ("industrycode", "Picklist"),
            ("statecode", "State"),
            ("statuscode", "Status"),
            ("accountid", "UniqueIdentifier"),
            ("primarycontactid", "Lookup"),
            ("ownerid", "Lookup"),
        ] {
            assert_eq!(types[column], format!("#Microsoft.Dynamics.CRM.{kind}AttributeMetadata"), "{column}");
        }

        let attribute = async |column: &str| {
            get(&world, &format!("EntityDefinitions(LogicalName='account')/Attributes(LogicalName='{column}')")).await
        };
        let name = attribute("name").await;
        for (property, expected) in [
            ("AttributeType", json!("String")),
            ("AttributeTypeName", json!({"Value": "StringType"})),
            ("SchemaName", json!("Name")),
            ("EntityLogicalName", json!("account")),
            ("MaxLength", json!(160)),
            ("Format", json!("Text")),
            ("FormatName", json!({"Value": "Text"})),
            ("IsPrimaryName", json!(true)),
            ("IsPrimaryId", json!(false)),
            ("IsValidForCreate", json!(true)),
            ("IsValidForUpdate", json!(true)),
            ("IsValidForRead", json!(true)),
            ("IsSecured", json!(false)),
            ("AttributeOf", Json::Null),
            ("SourceType", json!(0)),
        ] {
            assert_eq!(name[property], expected, "{property}");
        }
        assert_eq!(name["RequiredLevel"]["Value"], "ApplicationRequired");
        assert_eq!(attribute("primarycontactid").await["Targets"], json!(["contact"]));
        let owner = attribute("ownerid").await;
        assert_eq!(
            (&owner["AttributeType"], &owner["AttributeTypeName"]["Value"]),
            (&json!("Owner"), &json!("OwnerType"))
        );
        assert_eq!(attribute("revenue").await["PrecisionSource"], 2);
        assert_eq!(attribute("createdon").await["DateTimeBehavior"]["Value"], "UserLocal");
        assert_eq!(attribute("accountid").await["IsValidForUpdate"], false);

        // Below a cast only columns of that type, with what only they have, and without saying the type again.
        let texts = get(
            &world,
            "EntityDefinitions(LogicalName='account')/Attributes/Microsoft.Dynamics.CRM.StringAttributeMetadata\
             ?$select=LogicalName,MaxLength&$filter=MaxLength eq 160",
        )
        .await;
        assert!(names(&texts, "LogicalName").contains(&"name"), "{texts}");
        assert!(texts["value"].as_array().unwrap().iter().all(|item| item.get("@odata.type").is_none()));
        let counted = world
            .ask(
                "GET",
                "EntityDefinitions(LogicalName='account')/Attributes/Microsoft.Dynamics.CRM.StateAttributeMetadata/$count",
                &[],
                "",
            )
            .await;
        assert_eq!((counted.status, counted.text()), (200, "1"));

        // A secured column is described like any other, and says so.
        let schema = world.org.schema();
        let account = schema.table_named("account").unwrap();
        let fax = account.column("fax").unwrap().id;
        world.org.secure_column(&world.admin(), account.id, fax, true).await.unwrap();
        assert_eq!(attribute("fax").await["IsSecured"], true);
        assert_eq!(attribute("name").await["IsSecured"], false);
    }

    pub async fn options_are_described(world: World) {
        // What the official Python client reads before it writes a text.
        let picklists = get(
            &world,
            "EntityDefinitions(LogicalName='account')/Attributes/Microsoft.Dynamics.CRM.PicklistAttributeMetadata\
             ?$select=LogicalName&$expand=OptionSet($select=Options)",
        )
        .await;
        let industry = picklists["value"]
            .as_array()
            .unwrap()
            .iter()
            .find(|item| item["LogicalName"] == "industrycode")
            .unwrap_or_else(|| panic!("{picklists}"));
        assert_eq!(industry["OptionSet"]["Options"][0]["Value"], 1);
        assert_eq!(industry["OptionSet"]["Options"][0]["Label"]["UserLocalizedLabel"]["Label"], "Accounting");
        assert!(industry["OptionSet"].get("Name").is_none() && industry["OptionSet"]["MetadataId"].is_string());

        let at = "EntityDefinitions(LogicalName='account')/Attributes(LogicalName='statecode')/\
                  Microsoft.Dynamics.CRM.StateAttributeMetadata";
        let state = get(&world, &format!("{at}?$select=LogicalName&$expand=OptionSet,GlobalOptionSet")).await;
        assert_eq!(state["OptionSet"]["OptionSetType"], "State");
        assert_eq!(state["OptionSet"]["Name"], "account_statecode");
        assert_eq!(state["GlobalOptionSet"], Json::Null);
        let active = &state["OptionSet"]["Options"][0];
        assert_eq!(
            (&active["Value"], &active["DefaultStatus"], &active["InvariantName"]),
            (&json!(0), &json!(1), &json!("Active"))
        );
        assert_eq!(active["@odata.type"], "#Microsoft.Dynamics.CRM.StateOptionMetadata");
        assert_eq!(get(&world, &format!("{at}/OptionSet")).await["Options"], state["OptionSet"]["Options"]);
        assert_eq!(get(&world, &format!("{at}/OptionSet/Options")).await["value"], state["OptionSet"]["Options"]);
        assert_eq!(world.ask("GET", &format!("{at}/GlobalOptionSet"), &[], "").await.status, 204);

        let boolean = get(
            &world,
            "EntityDefinitions(LogicalName='account')/Attributes(LogicalName='creditonhold')/\
             Microsoft.Dynamics.CRM.BooleanAttributeMetadata?$select=LogicalName&$expand=OptionSet",
        )
        .await;
        assert_eq!(boolean["OptionSet"]["TrueOption"]["Value"], 1);
        assert_eq!(boolean["OptionSet"]["FalseOption"]["Label"]["UserLocalizedLabel"]["Label"], "No");

        let shared = get(&world, "GlobalOptionSetDefinitions").await;
        for set in shared["value"].as_array().unwrap() {
            let name = set["Name"].as_str().unwrap();
            assert_eq!(set["@odata.type"], "#Microsoft.Dynamics.CRM.OptionSetMetadata");
            assert_eq!(set["IsGlobal"], true);
            let cast = format!("GlobalOptionSetDefinitions(Name='{name}')/Microsoft.Dynamics.CRM.OptionSetMetadata");
            assert_eq!(get(&world, &cast).await["Options"], set["Options"], "{name}");
        }
        assert!(
            !get(&world, "ManagedPropertyDefinitions?$select=LogicalName").await["value"]
                .as_array()
                .unwrap()
                .is_empty()
        );
    }

    pub async fn relationships_are_described(world: World) {
        let found = get(&world, "RelationshipDefinitions?$filter=SchemaName eq 'contact_customer_accounts'").await;
        let relationship = &found["value"][0];
        assert_eq!(found["value"].as_array().unwrap().len(), 1);
        for (property, expected) in [
            ("@odata.type", json!("#Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata")),
            ("ReferencedEntity", json!("account")),
            ("ReferencedAttribute", json!("accountid")),
            ("ReferencingEntity", json!("contact")),
            ("ReferencingAttribute", json!("parentcustomerid")),
            ("ReferencedEntityNavigationPropertyName", json!("contact_customer_accounts")),
            ("ReferencingEntityNavigationPropertyName", json!("parentcustomerid_account")),
            ("RelationshipType", json!("OneToManyRelationship")),
            ("IsCustomRelationship", json!(false)),
        ] {
            assert_eq!(relationship[property], expected, "{property}");
        }
        assert_eq!(relationship["CascadeConfiguration"]["RollupView"], "NoCascade");
        let id = relationship["MetadataId"].as_str().unwrap();
        for at in [
            format!("RelationshipDefinitions({id})/Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata"),
            "RelationshipDefinitions(SchemaName='contact_customer_accounts')".to_owned(),
            format!("EntityDefinitions(LogicalName='account')/OneToManyRelationships({id})"),
            format!("EntityDefinitions(LogicalName='contact')/ManyToOneRelationships({id})"),
        ] {
            assert_eq!(get(&world, &at).await["ReferencingAttribute"], "parentcustomerid", "{at}");
        }
        let links = get(
            &world,
            "RelationshipDefinitions/Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata?$select=SchemaName,IntersectEntityName",
        )
        .await;
        let roles = links["value"]
            .as_array()
            .unwrap()
            .iter()
            .find(|item| item["SchemaName"] == "systemuserroles_association")
            .unwrap_or_else(|| panic!("{links}"));
        assert_eq!(roles["IntersectEntityName"], "systemuserroles");
        let of_user =
            get(&world, "EntityDefinitions(LogicalName='systemuser')/ManyToManyRelationships?$select=SchemaName").await;
        assert!(names(&of_user, "SchemaName").contains(&"systemuserroles_association"));
        let keys = get(&world, "EntityDefinitions(LogicalName='transactioncurrency')/Keys").await;
        for key in keys["value"].as_array().unwrap() {
            assert_eq!(key["EntityKeyIndexStatus"], "Active");
            assert!(!key["KeyAttributes"].as_array().unwrap().is_empty());
        }
    }

    pub async fn descriptions_are_chosen_and_expanded(world: World) {
        let found = get(
            &world,
            "EntityDefinitions?$select=EntitySetName,LogicalName&$count=true\
             &$filter=IsPrivate eq false and (LogicalName eq 'account' or SchemaName eq 'Contact')\
             &$expand=Attributes($select=LogicalName,AttributeType;$filter=AttributeType ne 'Virtual' and IsPrimaryId eq true),Keys",
        )
        .await;
        assert_eq!(found["@odata.count"], 2);
        assert_eq!(names(&found, "LogicalName"), ["account", "contact"]);
        assert_eq!(
            found["@odata.context"],
            format!(
                "{ROOT}$metadata#EntityDefinitions(EntitySetName,LogicalName,Attributes(LogicalName,AttributeType),Keys())"
            )
        );
        let attributes = &found["value"][0]["Attributes"];
        assert_eq!(attributes.as_array().unwrap().len(), 1, "{attributes}");
        assert_eq!(attributes[0]["AttributeType"], "Uniqueidentifier");
        assert_eq!(attributes[0]["@odata.type"], "#Microsoft.Dynamics.CRM.UniqueIdentifierAttributeMetadata");
        assert!(found["value"][0]["Keys"].is_array());
        let owned = get(
            &world,
            "EntityDefinitions?$select=LogicalName&$filter=OwnershipType eq Microsoft.Dynamics.CRM.OwnershipTypes'UserOwned'",
        )
        .await;
        assert_eq!(
            owned["value"],
            get(&world, "EntityDefinitions?$select=LogicalName&$filter=OwnershipType eq 'UserOwned'").await["value"]
        );
        assert!(
            names(&owned, "LogicalName").contains(&"lead") && !names(&owned, "LogicalName").contains(&"businessunit")
        );
        let cast = get(
            &world,
            "EntityDefinitions(LogicalName='account')?$select=LogicalName\
             &$expand=Attributes/Microsoft.Dynamics.CRM.StatusAttributeMetadata($select=LogicalName;$expand=OptionSet($select=Options))",
        )
        .await;
        assert_eq!(cast["Attributes"][0]["OptionSet"]["Options"][0]["State"], 0, "{cast}");
        let none = world
            .ask(
                "GET",
                "EntityDefinitions?$select=LogicalName",
                &[("accept", "application/json;odata.metadata=none")],
                "",
            )
            .await
            .json();
        assert!(none.get("@odata.context").is_none());
    }

    pub async fn operations_are_looked_up_by_table(world: World) {
        // As a client asks before it sends many records at once.
        let asked = "sdkmessagefilters?$select=sdkmessagefilterid&$expand=sdkmessageid($select=name)&$filter=\
                     (sdkmessageid/name eq 'CreateMultiple' or sdkmessageid/name eq 'Merge') \
                     and primaryobjecttypecode eq 'TABLE'";
        for (table, expected) in
            [("account", &["CreateMultiple", "Merge"][..]), ("task", &["CreateMultiple"]), ("audit", &[]), ("no", &[])]
        {
            let found = get(&world, &asked.replace("TABLE", table)).await;
            let rows = found["value"].as_array().unwrap();
            let found: Vec<&str> = rows.iter().map(|row| row["sdkmessageid"]["name"].as_str().unwrap()).collect();
            assert_eq!(found, expected, "{table}");
            assert!(rows.iter().all(|row| row["sdkmessagefilterid"].is_string() && row.get("MetadataId").is_none()));
        }

        let message = get(&world, "sdkmessages?$filter=name eq 'Assign'&$expand=sdkmessageid_sdkmessagefilter").await;
        let message = &message["value"][0];
        let filters = message["sdkmessageid_sdkmessagefilter"].as_array().unwrap();
        assert!(filters.iter().all(|filter| filter["_sdkmessageid_value"] == message["sdkmessageid"]), "{message}");
        let of = |table: &str| filters.iter().any(|filter| filter["primaryobjecttypecode"] == table);
        assert!(of("contact") && !of("businessunit"), "what belongs to the organisation has no owner");
        let id = message["sdkmessageid"].as_str().unwrap();
        assert_eq!(get(&world, &format!("sdkmessages({id})/name")).await["value"], "Assign");
        assert_eq!(get(&world, &format!("sdkmessages(sdkmessageid={id})")).await["name"], "Assign");
        world.ask("GET", "sdkmessagefilters?$filter=sdkmessageid eq null", &[], "").await.expect_error(400, "0x0");
    }

    pub async fn tables_are_described_whole(world: World) {
        let one = |filters: &str, more: &str| {
            format!("RetrieveEntity(EntityFilters={filters},{more},RetrieveAsIfPublished=true)")
        };
        let plain = get(&world, &one("1", "LogicalName='account'")).await;
        let account = &plain["EntityMetadata"];
        assert_eq!(account["EntitySetName"], "accounts");
        for absent in ["Attributes", "Keys", "OneToManyRelationships", "Privileges"] {
            assert!(account.get(absent).is_none(), "{absent} was not asked for");
        }
        let id = account["MetadataId"].as_str().unwrap();
        let filters = "Microsoft.Dynamics.CRM.EntityFilters'Attributes,Privileges'";
        let by_id = get(&world, &one(filters, &format!("LogicalName='contact',MetadataId={id}"))).await;
        let account = &by_id["EntityMetadata"];
        assert_eq!(account["LogicalName"], "account", "an id goes before a name");
        assert!(account["Privileges"].as_array().unwrap().len() > 5 && account.get("OneToManyRelationships").is_none());
        let columns = account["Attributes"].as_array().unwrap();
        let industry = columns.iter().find(|column| column["LogicalName"] == "industrycode").unwrap();
        assert_eq!(industry["@odata.type"], "#Microsoft.Dynamics.CRM.PicklistAttributeMetadata");
        assert!(!industry["OptionSet"]["Options"].as_array().unwrap().is_empty());

        let all = get(&world, "RetrieveAllEntities(EntityFilters=15,RetrieveAsIfPublished=false)").await;
        assert!(all["Timestamp"].is_string());
        let tables = all["EntityMetadata"].as_array().unwrap();
        assert_eq!(tables.len(), world.org.schema().tables().len());
        let account = tables.iter().find(|table| table["LogicalName"] == "account").unwrap();
        let nobody = "00000000-0000-0000-0000-000000000000";
        let named = get(&world, &one("15", &format!("LogicalName='account',MetadataId={nobody}"))).await;
        assert_eq!(*account, named["EntityMetadata"]);
        assert!(!account["OneToManyRelationships"].as_array().unwrap().is_empty());

        for (target, status, code) in [
            (one("1", "LogicalName='nothing'"), 404, "0x80040217"),
            (one("1", "MetadataId=00000000-0000-0000-0000-000000000001"), 404, "0x80040217"),
            (one("0", "LogicalName='account'"), 400, "0x80060888"),
            (one("16", "LogicalName='account'"), 400, "0x80060888"),
            (one("'Entity,Nothing'", "LogicalName='account'"), 400, "0x80060888"),
            ("RetrieveEntity(EntityFilters=1)".to_owned(), 400, "0x80060888"),
            ("RetrieveAllEntities()".to_owned(), 400, "0x80060888"),
            ("RetrieveAllEntities(EntityFilters=1,RetrieveAsIfPublished=1)".to_owned(), 400, "0x80060888"),
        ] {
            world.ask("GET", &target, &[], "").await.expect_error(status, code);
        }
    }

    pub async fn what_is_not_there_is_said(world: World) {
        for (target, status, code) in [
            ("EntityDefinitions(LogicalName='nothing')", 404, "0x80040217"),
            ("EntityDefinitions(00000000-0000-0000-0000-000000000001)", 404, "0x80040217"),
            ("EntityDefinitions(LogicalName='account')/Attributes(LogicalName='nothing')", 404, "0x80040217"),
            ("EntityDefinitions(LogicalName='account')/Nothing", 404, "0x8006088a"),
            ("EntityDefinitions/Microsoft.Dynamics.CRM.PicklistAttributeMetadata", 404, "0x8006088a"),
            ("EntityDefinitions(LogicalName='account')/Attributes/Microsoft.Dynamics.CRM.Nothing", 404, "0x8006088a"),
            (
                "EntityDefinitions(LogicalName='account')/Attributes(LogicalName='name')/\
                 Microsoft.Dynamics.CRM.PicklistAttributeMetadata",
                404,
                "0x80040217",
            ),
            ("RelationshipDefinitions(SchemaName='nothing')", 404, "0x80040217"),
            ("GlobalOptionSetDefinitions(Name='nothing')", 404, "0x80040217"),
            ("EntityDefinitions(account)", 400, "0x80060888"),
            ("EntityDefinitions?$select=Nothing", 400, "0x0"),
            ("EntityDefinitions?$filter=Nothing eq 1", 400, "0x0"),
            ("EntityDefinitions?$expand=Nothing", 400, "0x0"),
            ("EntityDefinitions(LogicalName='account')/Attributes?$select=MaxLength", 400, "0x0"),
            ("EntityDefinitions(LogicalName='account')/Attributes?$expand=OptionSet", 400, "0x0"),
            ("EntityDefinitions?$top=1", 400, "0x80060888"),
            ("EntityDefinitions?$orderby=LogicalName", 400, "0x80060888"),
            ("EntityDefinitions?$filter=LogicalName eq", 400, "0x80060888"),
            ("EntityDefinitions?$count=perhaps", 400, "0x80060888"),
            ("EntityDefinitions(LogicalName='account')?$filter=IsPrivate eq true", 400, "0x80060888"),
            ("EntityDefinitions?$expand=*", 501, "0x80060888"),
        ] {
            world.ask("GET", target, &[], "").await.expect_error(status, code);
        }
        world.ask("POST", "EntityDefinitions", &[], "{}").await.expect_error(501, "0x80060888");
        world.ask("POST", "$metadata", &[], "{}").await.expect_error(405, "0x80060888");
    }

    pub async fn who_may_do_nothing_reads_no_descriptions(world: World) {
        let nobody = world.user("nobody", &[]).await;
        let somebody = world.user("somebody", &["Salesperson"]).await;
        for target in [
            "EntityDefinitions",
            "EntityDefinitions(LogicalName='account')/Attributes",
            "RelationshipDefinitions",
            "GlobalOptionSetDefinitions",
            "ManagedPropertyDefinitions",
            "$metadata",
            "RetrieveMetadataChanges(Query=@q)?@q={}",
            "RetrieveAvailableLanguages",
            "RetrieveTimestamp()",
        ] {
            world.send(&nobody, "GET", target, &[], "").await.expect_error(403, "0x80042f09");
            assert_eq!(world.send(&somebody, "GET", target, &[], "").await.status, 200, "{target}");
        }
    }

    pub async fn changes_of_descriptions(world: World) {
        let query = json!({
            "Criteria": {
                "FilterOperator": "And",
                "Conditions": [{
                    "PropertyName": "LogicalName",
                    "ConditionOperator": "Equals",
                    "Value": {"Type": "System.String", "Value": "account"},
                }],
            },
            "Properties": {"AllProperties": false, "PropertyNames": ["SchemaName", "Attributes"]},
            "AttributeQuery": {
                "Criteria": {
                    "FilterOperator": "Or",
                    "Conditions": [
                        {"PropertyName": "AttributeType", "ConditionOperator": "Equals", "Value": {"Type": "Microsoft.Xrm.Sdk.Metadata.AttributeTypeCode", "Value": "State"}},
                        {"PropertyName": "IsPrimaryName", "ConditionOperator": "Equals", "Value": {"Type": "System.Boolean", "Value": "true"}},
                    ],
                },
                "Properties": {"AllProperties": false, "PropertyNames": ["AttributeType", "OptionSet"]},
            },
        });
        let ask = async |more: &str| get(&world, &format!("RetrieveMetadataChanges(Query=@q{more})?@q={query}")).await;
        let first = ask("").await;
        let stamp = first["ServerVersionStamp"].as_str().unwrap().to_owned();
        let tables = first["EntityMetadata"].as_array().unwrap();
        assert_eq!(tables.len(), 1);
        assert_eq!(tables[0]["LogicalName"], "account");
        assert!(tables[0].get("DisplayName").is_none() && tables[0].get("Keys").is_none());
        let attributes = tables[0]["Attributes"].as_array().unwrap();
        assert_eq!(attributes.len(), 2, "{attributes:?}");
        assert_eq!(attributes[1]["OptionSet"]["Options"][0]["Value"], 0, "{attributes:?}");

        let unchanged =
            get(&world, &format!("RetrieveMetadataChanges(Query=@q,ClientVersionStamp=@s)?@q={query}&@s='{stamp}'"))
                .await;
        assert_eq!((&unchanged["EntityMetadata"], &unchanged["ServerVersionStamp"]), (&json!([]), &json!(stamp)));
        // Tables that somebody asks for first are described as before.
        world.get("competitors").await;
        world.post("letters", r#"{"subject":"L"}"#).await;
        assert_eq!(get(&world, "RetrieveTimestamp").await["Timestamp"], json!(stamp));
        let annotated = [("prefer", "odata.include-annotations=\"*\"")];
        let listed = async || {
            let listed = world.ask("GET", "letters?$select=subject", &annotated, "").await.expect(200);
            listed["@Microsoft.Dynamics.CRM.globalmetadataversion"].as_str().unwrap().to_owned()
        };
        assert_eq!(stamp, format!("{}!metadata", listed().await));
        let schema = world.org.schema();
        let account = schema.table_named("account").unwrap();
        world.org.secure_column(&world.admin(), account.id, account.column("fax").unwrap().id, true).await.unwrap();
        let changed =
            get(&world, &format!("RetrieveMetadataChanges(Query=@q,ClientVersionStamp=@s)?@q={query}&@s='{stamp}'"))
                .await;
        assert_eq!(changed["EntityMetadata"].as_array().unwrap().len(), 1);
        assert_ne!(changed["ServerVersionStamp"], json!(stamp));
        assert_eq!(changed["ServerVersionStamp"], format!("{}!metadata", listed().await));
        // What is as it was before is described as it was.
        world.org.secure_column(&world.admin(), account.id, account.column("fax").unwrap().id, false).await.unwrap();
        assert_eq!(get(&world, "RetrieveTimestamp").await["Timestamp"], json!(stamp));
        world.org.secure_column(&world.admin(), account.id, account.column("fax").unwrap().id, true).await.unwrap();
        world
            .ask("GET", "RetrieveMetadataChanges(Query=@q,ClientVersionStamp='yesterday')?@q={}", &[], "")
            .await
            .expect_error(400, "0x80044352");
        let wrong =
            "RetrieveMetadataChanges(Query=@q)?@q={\"Criteria\":{\"Conditions\":[{\"PropertyName\":\"Nothing\"}]}}";
        world.ask("GET", wrong, &[], "").await.expect_error(400, "0x0");
        let wrong = [
            r#"[]"#,
            r#""account""#,
            r#"{"Criterias":{}}"#,
            r#"{"Criteria":[]}"#,
            r#"{"Criteria":{"Conditions":{}}}"#,
            r#"{"Criteria":{"Conditions":["LogicalName"]}}"#,
            r#"{"Criteria":{"Conditions":[null]}}"#,
            r#"{"Criteria":{"Conditions":[{"PropertyName":7}]}}"#,
            r#"{"Criteria":{"Conditions":[{"PropertyName":"LogicalName","Operator":"Equals"}]}}"#,
            r#"{"Criteria":{"Conditions":[{"PropertyName":"LogicalName","ConditionOperator":0}]}}"#,
            r#"{"Criteria":{"Filters":{}}}"#,
            r#"{"Criteria":{"Filters":[{"FilterOperator":true}]}}"#,
            r#"{"Properties":["LogicalName"]}"#,
            r#"{"Properties":{"AllProperties":"true"}}"#,
            r#"{"Properties":{"PropertyNames":"LogicalName"}}"#,
            r#"{"Properties":{"PropertyNames":["LogicalName",1]}}"#,
            r#"{"AttributeQuery":{"Properties":{"PropertyNames":{}}}}"#,
            r#"{"Properties":{"PropertyNames":["LogicalName"]},"AttributeQuery":[]}"#,
        ];
        for query in wrong {
            let target = format!("RetrieveMetadataChanges(Query=@q)?@q={query}");
            world.ask("GET", &target, &[], "").await.expect_error(400, "0x80060888");
        }
        let fitting = r#"{"@odata.type":"Microsoft.Dynamics.CRM.EntityQueryExpression","ExtensionData":null,"LabelQuery":null,
            "Criteria":null,"Properties":{"AllProperties":null,"PropertyNames":[]},"AttributeQuery":{"Criteria":{"Filters":[]}}}"#;
        let fitting = fitting.replace(['\n', ' '], "");
        let shown = get(&world, &format!("RetrieveMetadataChanges(Query=@q)?@q={fitting}")).await;
        assert_eq!(shown["EntityMetadata"].as_array().unwrap().len(), schema.tables().len(), "{fitting}");

        // Values come with their type, numbers and lists as texts too.
        let asked = |property: &str, operator: &str, value: &str| {
            format!(
                "RetrieveMetadataChanges(Query=@q)?@q={{\"Properties\":{{\"PropertyNames\":[\"ObjectTypeCode\"]}},\"Criteria\":\
                 {{\"Conditions\":[{{\"PropertyName\":\"{property}\",\"ConditionOperator\":\"{operator}\",\"Value\":{value}}}]}}}}"
            )
        };
        let codes = async |operator: &str, value: &str| -> BTreeSet<i64> {
            let found = get(&world, &asked("ObjectTypeCode", operator, value)).await;
            let tables = found["EntityMetadata"].as_array().unwrap();
            tables.iter().map(|table| table["ObjectTypeCode"].as_i64().unwrap()).collect()
        };
        let all: BTreeSet<i64> = codes("NotEquals", r#"{"Type":"System.Int32","Value":"-1"}"#).await;
        for three in ["3", r#""3""#, r#"{"Type":"System.Int32","Value":"3"}"#, r#"{"Type":"System.Int32","Value":3}"#] {
            let is_below: BTreeSet<i64> = all.iter().copied().filter(|code| *code < 3).collect();
            assert!(is_below.contains(&1) && is_below.len() < all.len());
            assert_eq!(codes("LessThan", three).await, is_below, "{three}");
            assert_eq!(
                codes("GreaterThan", three).await,
                all.iter().copied().filter(|code| *code > 3).collect(),
                "{three}"
            );
        }
        for list in [r#"{"Type":"System.Int32[]","Value":"[1,2]"}"#, r#"{"Type":"System.Int32[]","Value":[1,2]}"#] {
            assert_eq!(codes("In", list).await, BTreeSet::from([1, 2]), "{list}");
        }
        for (property, operator, value) in [
            ("ObjectTypeCode", "GreaterThan", r#"{"Type":"System.Int32","Value":"three"}"#),
            ("ObjectTypeCode", "LessThan", "null"),
            ("ObjectTypeCode", "LessThan", "[]"),
            ("LogicalName", "GreaterThan", r#"{"Type":"System.String","Value":"3"}"#),
            ("IsCustomizable", "LessThan", "3"),
            ("LogicalName", "In", r#"{"Type":"System.String[]","Value":"account"}"#),
            ("LogicalName", "In", r#"{"Type":"System.String[]","Value":"['account']"}"#),
        ] {
            let target = asked(property, operator, value);
            world.ask("GET", &target, &[], "").await.expect_error(400, "0x80060888");
        }

        assert_eq!(get(&world, "RetrieveAvailableLanguages()").await["LocaleIds"], json!([1033]));
        assert_eq!(get(&world, "RetrieveProvisionedLanguages").await["RetrieveProvisionedLanguages"], json!([1033]));
        assert_eq!(get(&world, "RetrieveTimestamp").await["Timestamp"], changed["ServerVersionStamp"]);
    }

    pub async fn questions_about_descriptions_have_limits(world: World) {
        let columns = |condition: &str| {
            format!(
                "RetrieveMetadataChanges(Query=@q)?@q={{\"Properties\":{{\"PropertyNames\":[\"Attributes\",\"Attributes\"]}},\
                 \"Criteria\":{{\"Conditions\":[{{\"PropertyName\":\"LogicalName\",\"Value\":\"account\"}}]}},\
                 \"AttributeQuery\":{{\"Properties\":{{\"PropertyNames\":[\"Nothing\",\"AttributeType\",\"AttributeType\"]}},\
                 \"Criteria\":{{\"Conditions\":[{condition}]}}}}}}"
            )
        };
        let among = |property: &str, operator: &str, values: &str| {
            columns(&format!(
                "{{\"PropertyName\":\"{property}\",\"ConditionOperator\":\"{operator}\",\"Value\":[{values}]}}"
            ))
        };
        let found = async |target: &str| {
            let shown = get(&world, target).await;
            shown["EntityMetadata"][0]["Attributes"].as_array().unwrap().len()
        };
        let all = found(&columns("")).await;
        let states = found(&among("AttributeType", "In", "\"State\",\"State\"")).await;
        assert_eq!((states, found(&among("AttributeType", "In", "12,\"12\"")).await), (1, 1));
        assert_eq!(found(&among("AttributeType", "NotIn", "12,\"None\",null,{\"a\":1}")).await, all - 1);
        // A label is none of such values, however many they are.
        assert_eq!(found(&among("DisplayName", "In", &vec!["1"; 2_000].join(","))).await, 0);
        assert_eq!(found(&among("MetadataId", "NotIn", &vec!["\"x\""; 2_000].join(","))).await, all);
        assert_eq!(found(&among("IsCustomAttribute", "In", "\"FALSE\"")).await, all);

        let listed = |test: &str, count: usize, between: &str| vec![test; count].join(between);
        let condition = "{\"PropertyName\":\"LogicalName\"}";
        let filters = "{\"FilterOperator\":\"And\"}";
        let filters = |count| {
            let filters = listed(filters, count, ",");
            format!("RetrieveMetadataChanges(Query=@q)?@q={{\"Criteria\":{{\"Filters\":[{filters}]}}}}")
        };
        let tables = |filter: &str| format!("EntityDefinitions?$select=LogicalName&$filter={filter}");
        let named = |values: &str| tables(&format!("LogicalName in ({values})&@p='{}'", "x".repeat(1_000)));
        let test = "LogicalName ne 'x'";
        let cases = [
            (among("DisplayName", "In", &listed("1", 2_001, ",")), "in_values_max"),
            (columns(&listed(condition, 501, ",")), "conditions_max"),
            (columns(&format!("{{\"PropertyName\":\"{}\"}}", listed("a", 11, "."))), "path_steps_max"),
            (filters(501), "conditions_max"),
            (tables(&listed(test, 501, " or ")), "filter_nodes_max"),
            (tables(&listed("contains(LogicalName,'x')", 501, " or ")), "filter_nodes_max"),
            (named(&listed("'x'", 2_001, ",")), "in_values_max"),
            (named(&listed("@p", 1_100, ",")), "alias_bytes_max"),
        ];
        for (target, limit) in cases {
            let refused = world.ask("GET", &target, &[], "").await.expect_error(400, "0x80060888");
            assert!(refused.contains(limit), "{limit}: {refused}");
        }
        let fitting = [
            columns(&listed(condition, 500, ",")),
            columns(&format!("{{\"PropertyName\":\"{}\"}}", listed("DisplayName", 10, "."))),
            filters(500),
            tables(&listed(test, 500, " or ")),
            named(&listed("'x'", 2_000, ",")),
            named(&listed("@p", 900, ",")),
        ];
        for target in fitting {
            world.get(&target).await;
        }
    }

    /// A name of a type with its alias or namespace taken off; `None` for a primitive one.
    fn declared(type_name: &str) -> Option<&str> {
        let inner = type_name.strip_prefix("Collection(").map_or(type_name, |rest| rest.trim_end_matches(')'));
        if inner.starts_with("Edm.") {
            return None;
        }
        Some(inner.strip_prefix("mscrm.").unwrap_or_else(|| panic!("{type_name} has no namespace")))
    }

    struct Model<'d> {
        types: BTreeMap<&'d str, Node<'d, 'd>>,
    }

    impl<'d> Model<'d> {
        fn chain(&self, name: &str) -> Vec<Node<'d, 'd>> {
            let mut chain = Vec::new();
            let mut next = Some(self.types[name]);
            while let Some(node) = next {
                chain.push(node);
                next = node.attribute("BaseType").map(|base| self.types[declared(base).unwrap()]);
            }
            chain
        }

        fn member(&self, of: &str, tag: &str, name: &str) -> Option<Node<'d, 'd>> {
            self.chain(of)
                .into_iter()
                .flat_map(|node| node.children().collect::<Vec<_>>())
                .find(|node| node.has_tag_name((EDM, tag)) && node.attribute("Name") == Some(name))
        }
    }

    const EDM: &str = "http://docs.oasis-open.org/odata/ns/edm";

    pub async fn the_metadata_document(world: World) {
        let answer = world.ask("GET", "$metadata", &[("accept", "application/xml")], "").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/xml"));
        check_document(answer.text(), &world);
        let again = world.ask("GET", "$metadata", &[], "").await;
        assert_eq!(again.body, answer.body);
        let annotated = world.ask("GET", "$metadata?annotations=true", &[], "").await;
        check_document(annotated.text(), &world);
        assert!(annotated.text().contains("<Annotation Term=\"Core.Description\" String=\"Account Name\" />"));
        assert!(!answer.text().contains("<Annotation "));
        let every = [("Prefer", "odata.include-annotations=\"*\"")];
        let preferred = world.ask("GET", "$metadata", &every, "").await;
        assert_eq!(preferred.body, annotated.body);
        assert_eq!(preferred.header("preference-applied"), Some("odata.include-annotations=\"*\""));
    }

    fn check_document(text: &str, world: &World) {
        let document = Document::parse(text).unwrap();
        let schema = document.descendants().find(|node| node.has_tag_name((EDM, "Schema"))).unwrap();
        let mut types: BTreeMap<&str, Node<'_, '_>> = BTreeMap::new();
        for node in schema.children().filter(Node::is_element) {
            let tag = node.tag_name().name();
            if ["EntityType", "ComplexType", "EnumType"].contains(&tag) {
                let name = node.attribute("Name").unwrap();
                assert!(types.insert(name, node).is_none(), "{name} is declared twice");
            }
        }
        let model = Model { types };
        for table in world.org.schema().tables() {
            assert!(model.types.contains_key(table.name.as_str()), "{}", table.name);
        }

        // Every type that is named anywhere is declared.
        for node in document.descendants() {
            for attribute in ["Type", "BaseType", "EntityType"] {
                if let Some(name) = node.attribute(attribute).and_then(declared) {
                    assert!(model.types.contains_key(name), "{name}");
                }
            }
            for (attribute, tag) in [("Function", "Function"), ("Action", "Action")] {
                if let Some(name) = node.attribute(attribute).and_then(declared) {
                    let found = schema
                        .children()
                        .any(|node| node.has_tag_name((EDM, tag)) && node.attribute("Name") == Some(name));
                    assert!(found, "{name}");
                }
            }
        }

        let mut partners = 0;
        for (name, node) in &model.types {
            let mut members = BTreeSet::new();
            for member in model.chain(name).into_iter().flat_map(|node| node.children().collect::<Vec<_>>()) {
                if ["Property", "NavigationProperty"].contains(&member.tag_name().name()) {
                    let member = member.attribute("Name").unwrap();
                    assert!(members.insert(member), "{name}.{member} is declared twice");
                    assert_ne!(member, *name, "a member has the name of its type");
                }
            }
            if node.has_tag_name((EDM, "EntityType")) && node.attribute("Abstract") != Some("true") {
                let keys: Vec<_> = model
                    .chain(name)
                    .into_iter()
                    .flat_map(|node| node.descendants().collect::<Vec<_>>())
                    .filter(|node| node.has_tag_name((EDM, "PropertyRef")))
                    .collect();
                assert_eq!(keys.len(), 1, "{name} has one key");
                let key = keys[0].attribute("Name").unwrap();
                assert!(model.member(name, "Property", key).is_some(), "{name}.{key}");
            }
            for navigation in node.children().filter(|node| node.has_tag_name((EDM, "NavigationProperty"))) {
                let own = navigation.attribute("Name").unwrap();
                let target = declared(navigation.attribute("Type").unwrap()).unwrap();
                if let Some(partner) = navigation.attribute("Partner") {
                    partners += 1;
                    let back = model
                        .member(target, "NavigationProperty", partner)
                        .unwrap_or_else(|| panic!("{name}.{own}: {target} has no {partner}"));
                    assert_eq!(back.attribute("Partner"), Some(own), "{name}.{own}");
                    assert_eq!(declared(back.attribute("Type").unwrap()), Some(*name), "{name}.{own}");
                }
                for constraint in navigation.children().filter(Node::is_element) {
                    let property = constraint.attribute("Property").unwrap();
                    let referenced = constraint.attribute("ReferencedProperty").unwrap();
                    assert!(model.member(name, "Property", property).is_some(), "{name}.{property}");
                    assert!(model.member(target, "Property", referenced).is_some(), "{target}.{referenced}");
                }
            }
        }
        assert!(partners > 500, "{partners}");

        let container = schema.children().find(|node| node.has_tag_name((EDM, "EntityContainer"))).unwrap();
        assert_eq!(container.attribute("Name"), Some("System"));
        let sets: BTreeMap<&str, &str> = container
            .children()
            .filter(|node| node.has_tag_name((EDM, "EntitySet")))
            .map(|node| (node.attribute("Name").unwrap(), declared(node.attribute("EntityType").unwrap()).unwrap()))
            .collect();
        assert_eq!(sets["accounts"], "account");
        assert_eq!(sets["EntityDefinitions"], "EntityMetadata");
        for binding in container.descendants().filter(|node| node.has_tag_name((EDM, "NavigationPropertyBinding"))) {
            let set = binding.parent().unwrap().attribute("Name").unwrap();
            let (path, target) = (binding.attribute("Path").unwrap(), binding.attribute("Target").unwrap());
            let navigation = model.member(sets[set], "NavigationProperty", path).unwrap();
            assert_eq!(declared(navigation.attribute("Type").unwrap()), sets.get(target).copied(), "{set}/{path}");
        }

        let property = |table: &str, name: &str| {
            model
                .member(table, "Property", name)
                .unwrap_or_else(|| panic!("{table}.{name}"))
                .attribute("Type")
                .unwrap()
                .to_owned()
        };
        for (table, name, kind) in [
            ("account", "accountid", "Edm.Guid"),
            ("account", "name", "Edm.String"),
            ("account", "_primarycontactid_value", "Edm.Guid"),
            ("account", "revenue", "Edm.Decimal"),
            ("account", "createdon", "Edm.DateTimeOffset"),
            ("account", "statecode", "Edm.Int32"),
            ("account", "versionnumber", "Edm.Int64"),
            ("account", "creditonhold", "Edm.Boolean"),
            ("contact", "birthdate", "Edm.Date"),
            ("task", "activityid", "Edm.Guid"),
            ("task", "subject", "Edm.String"),
        ] {
            assert_eq!(property(table, name), kind, "{table}.{name}");
        }
        let base = |name: &str| model.types[name].attribute("BaseType");
        assert_eq!(base("systemuser"), Some("mscrm.principal"));
        assert_eq!(base("task"), Some("mscrm.activitypointer"));
        assert_eq!(base("account"), Some("mscrm.crmbaseentity"));
        let owner = model.member("account", "NavigationProperty", "ownerid").unwrap();
        assert_eq!(owner.attribute("Type"), Some("mscrm.principal"));
        let contact = model.member("account", "NavigationProperty", "primarycontactid").unwrap();
        assert_eq!(contact.attribute("Partner"), Some("account_primary_contact"));
    }
}
