"""A mail server that wants TLS and a login, and keeps what it gets: mail.py PORT CERTIFICATE KEY KEPT MODE"""
import asyncio, json, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

port, certificate, key, kept, mode = sys.argv[1:]
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(certificate, key)


class Keeper:
    async def handle_DATA(self, server, session, envelope):
        if b"come again" in envelope.content:
            return "451 not now"
        if b"no thanks" in envelope.content:
            return "554 we do not take that"
        message = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "text": envelope.content.decode(),
            "tls": session.ssl is not None,
            "login": session.auth_data,
        }
        with open(kept, "a") as file:
            file.write(json.dumps(message) + "\n")
        return "250 taken"


def check(server, session, envelope, mechanism, given):
    good = isinstance(given, LoginPassword) and given.password == b"right-password"
    return AuthResult(success=good, handled=good, auth_data=good and given.login.decode() or None)


def talk():
    if mode == "plain":
        return SMTP(Keeper(), hostname="mail.test")
    return SMTP(
        Keeper(), hostname="mail.test", tls_context=context, require_starttls=True,
        authenticator=check, auth_required=True, auth_require_tls=True,
    )


async def main():
    server = await asyncio.get_running_loop().create_server(talk, "127.0.0.1", int(port))
    await server.serve_forever()


asyncio.run(main())
