//! The yardstick's statements: data, as much as the world is, for its server and its file alike.

/// W1: an account of the owner.
pub const ACCOUNT: &str = "
    SELECT accountid, name, accountnumber, address1_city, address1_line1, address1_postalcode, telephone1, emailaddress1,
        websiteurl, numberofemployees, revenue, createdon, opendeals
    FROM account WHERE accountid = ?1 AND ownerid = ?2";
/// W2: fifty accounts of a city. The plus keeps SQLite from finding rows by owner, which takes four times as long.
pub const ACCOUNTS: &str = "
    SELECT accountid, name, accountnumber, address1_city, address1_line1, address1_postalcode, telephone1, emailaddress1,
        websiteurl, numberofemployees, revenue, createdon, opendeals
    FROM account WHERE address1_city = ?1 AND +ownerid = ?2 ORDER BY name, accountid LIMIT 50";
/// W3: fifty contacts from a name on, with the names of their accounts.
pub const CONTACTS: &str = "
    SELECT c.contactid, c.fullname, c.firstname, c.lastname, c.jobtitle, c.emailaddress1, c.telephone1, c.mobilephone,
        c.address1_city, c.address1_postalcode, c.birthdate, c.createdon, c.parentcustomerid, a.name AS accountname
    FROM contact c LEFT JOIN account a ON a.accountid = c.parentcustomerid AND a.ownerid = ?2
    WHERE c.fullname >= ?1 AND +c.ownerid = ?2 ORDER BY c.fullname, c.contactid LIMIT 50";
/// W6: revenue of the owner's opportunities by stage; of all states, which the first parameter does not narrow.
pub const STAGES: &str = "
    SELECT salesstage, sum(estimatedvalue) AS revenue FROM opportunity WHERE ownerid = ?2 AND ?1 = '' GROUP BY salesstage";
/// W4, W7 and the filling of the file: inserts a contact.
pub const INSERT_CONTACT: &str = "
    INSERT INTO contact (contactid, fullname, firstname, lastname, jobtitle, emailaddress1, telephone1, mobilephone,
        address1_line1, address1_city, address1_postalcode, birthdate, parentcustomerid, statecode, statuscode,
        createdon, createdby, modifiedon, modifiedby, versionnumber, ownerid, owningbusinessunit)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 0, 1, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), ?14,
        strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), ?14, 1, ?14, ?15)";
/// W5: changes one column of a contact of the owner.
pub const UPDATE_TITLE: &str = "
    UPDATE contact SET jobtitle = ?2, modifiedon = strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), modifiedby = ?3,
        versionnumber = versionnumber + 1 WHERE contactid = ?1 AND ownerid = ?3";
