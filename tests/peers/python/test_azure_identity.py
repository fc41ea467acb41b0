"""azure-identity signs an application in at the organisation's own authority."""

import base64
import json
import os
import subprocess
import sys
import time
import unittest

import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential

from service import CLIENT_ID, CLIENT_SECRET, HOST, ORGANIZATION, SCOPE, SECURED, SERVICE_ROOT, credential, only_https


def who_am_i(token):
    return requests.get(f"{SERVICE_ROOT}/WhoAmI", headers={"Authorization": f"Bearer {token}"}, timeout=30)


@only_https
class SigningIn(unittest.TestCase):
    def test_a_token_of_the_application_is_accepted(self):
        with credential() as signing_in:
            token = signing_in.get_token(SCOPE)
            self.assertGreater(token.expires_on, time.time() + 3000)
            self.assertLess(token.expires_on, time.time() + 3700)
            answer = who_am_i(token.token)
            self.assertEqual(answer.status_code, 200, answer.text)
            user = requests.get(
                f"{SERVICE_ROOT}/systemusers({answer.json()['UserId']})?$select=applicationid",
                headers={"Authorization": f"Bearer {token.token}"},
                timeout=30,
            )
            self.assertEqual(user.json()["applicationid"], CLIENT_ID)
            self.assertEqual(signing_in.get_token(SCOPE).token, token.token, "it is kept until it runs out")
            self.assertEqual(signing_in.get_token_info(SCOPE).token_type, "Bearer")

    def test_the_token_says_for_whom_it_is(self):
        token = credential().get_token(SCOPE).token
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        self.assertEqual(claims["appid"], CLIENT_ID)
        self.assertEqual(claims["aud"], f"{HOST}/{ORGANIZATION}")

    def test_a_wrong_secret_is_refused(self):
        with self.assertRaises(ClientAuthenticationError) as refused:
            credential(secret="not the secret").get_token(SCOPE)
        self.assertIn("its secret is wrong", refused.exception.message)

    def test_an_application_that_is_not_there_is_refused(self):
        stranger = ClientSecretCredential(
            tenant_id=ORGANIZATION,
            client_id="00000000-0000-0000-0000-000000000001",
            client_secret=CLIENT_SECRET,
            authority=HOST,
            disable_instance_discovery=True,
        )
        with self.assertRaises(ClientAuthenticationError):
            stranger.get_token(SCOPE)

    def test_another_organisations_authority_does_not_know_the_application(self):
        with self.assertRaises(ClientAuthenticationError):
            credential(tenant="demo2").get_token(f"{HOST}/demo2/.default")

    def test_a_scope_of_another_service_is_refused(self):
        with self.assertRaises(ClientAuthenticationError):
            credential().get_token("https://example.invalid/.default")

    def test_a_token_for_one_organisation_is_none_for_another(self):
        token = credential().get_token(SCOPE).token
        answer = requests.get(
            f"{HOST}/demo2/api/data/v9.2/WhoAmI", headers={"Authorization": f"Bearer {token}"}, timeout=30
        )
        self.assertEqual(answer.status_code, 401, answer.text)

    def test_who_does_not_know_the_authority_gets_no_token(self):
        # In a process of its own, that is not told of the certificate's authority.
        told = {"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
        environment = {name: value for name, value in os.environ.items() if name not in told}
        program = (
            "from service import credential, SCOPE\n"
            "try:\n"
            "    credential(retry_total=0).get_token(SCOPE)\n"
            "except Exception as error:\n"
            "    print(type(error).__name__, 'CERTIFICATE_VERIFY_FAILED' in str(error))\n"
        )
        ended = subprocess.run(
            [sys.executable, "-c", program],
            cwd=os.path.dirname(os.path.abspath(__file__)),
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        self.assertEqual(ended.stdout.strip(), "ClientAuthenticationError True", ended.stderr)


@unittest.skipIf(SECURED, "this is HTTPS")
class WithoutHttps(unittest.TestCase):
    def test_the_library_takes_no_authority_without_https(self):
        # What the service does over HTTP is no matter to it: this says why the tests of it are not run there.
        with self.assertRaises(ValueError):
            credential()
