"""Endpoint: connect a wallet to an instance.

The signed message names the instance, so the signature is valid for that instance alone (K37). Until the wallet is
proven, the answer does not tell whether the instance exists (K40); for the public instance, which is no secret, it
gives reasons.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.apis.kit.http import HttpRequest
from chalicelib.apis.taker.envelope import Error, Fault, invalid, refuse
from chalicelib.apis.taker.gate import Caller, Connected, refuse_without_service
from chalicelib.apis.taker.schema import ConnectBody, checked
from chalicelib.domain.signed.connect import ConnectMessage, MalformedMessage, connect_message
from chalicelib.domain.signed.eip712 import signer_of_message
from chalicelib.domain.signed.faults import NonceSpent
from chalicelib.domain.signed.order import customer_of
from chalicelib.domain.signed.settings import OpenDesk
from chalicelib.support.telemetry import add_log_members

OpenSession = Callable[[Caller], str]
NOT_THERE = "There is no such instance, or the message does not name it: it has no line 'Instance: ...'"
"""The message for an unknown instance and for one that the message does not name."""


@dataclass(frozen=True, slots=True)
class ConnectEndpoint:
    """Connects wallets.

    open_desk: returns an active instance's desk. spend_nonce: records that a wallet used a nonce (wallet, nonce, Unix
    seconds); raises NonceSpent. open_session: returns a JWT for a maker. public_instance: of messages that
    name none, if any.
    """

    open_desk: Callable[[str], OpenDesk | None]
    spend_nonce: Callable[[str, str, int], None]
    open_session: OpenSession
    public_instance: str | None

    def connect(self, request: HttpRequest, caller: Caller) -> Connected:
        """Return a JWT to a wallet that has signed a recent message for this instance with an unused nonce."""
        body = checked(ConnectBody, request.body)
        message = _message_in(body)
        instance = self._instance_of(request, message)
        desk = self.open_desk(instance)
        faults = _faults(body, message, caller)
        if instance == self.public_instance:
            faults |= _faults_at(_opened(desk), message)
        refuse(faults)
        wallet = customer_of(body.wallet_address)
        if signer_of_message(body.message, body.signature) != wallet:
            raise Fault(Error.UNAUTHORIZED, "The signature is not the wallet's")
        opened = _opened(desk)
        add_log_members(instance=instance)
        refuse(_faults_at(opened, message))
        try:
            self.spend_nonce(wallet, message.nonce, caller.now_s)
        except NonceSpent as error:
            raise Fault(Error.UNAUTHORIZED, "The nonce was used before") from error
        maker = Caller(instance, wallet, opened.settings, caller.now_ms)
        return Connected(maker, {"jwt": self.open_session(maker)})

    def _instance_of(self, request: HttpRequest, message: ConnectMessage) -> str:
        """Return the instance of a request (K6, K37). Raises Fault if there is none, or the message names another."""
        named = request.headers.get("x-instance", "")
        if message.instance is not None:
            if named not in ("", message.instance):
                raise invalid({"message": "must name, in its line 'Instance: ...', the instance of X-Instance"})
            return message.instance
        instance = named or self.public_instance
        if instance is None or instance != self.public_instance:
            raise Fault(Error.NOT_FOUND, NOT_THERE)
        return instance


def _message_in(body: ConnectBody) -> ConnectMessage:
    try:
        return connect_message(body.message)
    except MalformedMessage as error:
        raise invalid({"message": str(error)}) from error


def _faults(body: ConnectBody, message: ConnectMessage, caller: Caller) -> dict[str, str]:
    """Return what is wrong with a message at any instance, by field: its wallet, chain or time."""
    faults = {}
    if customer_of(message.address) != customer_of(body.wallet_address):
        faults["wallet_address"] = "must be the address in the message"
    if message.chain_id != body.chain_id:
        faults["chain_id"] = "must be that in the message"
    if not message.is_of_now(caller.now_ms):
        faults["timestamp"] = "must be within 300 seconds of the server's time"
    return faults


def _faults_at(desk: OpenDesk, message: ConnectMessage) -> dict[str, str]:
    """Return what is wrong with a message at this instance, by field."""
    chain_id = str(desk.settings.domain.chain_id)
    return {} if message.chain_id == chain_id else {"chain_id": f"must be {chain_id}, in the message too"}


def _opened(desk: OpenDesk | None) -> OpenDesk:
    """Return the desk. Raises Fault if there is none, or trading is switched off."""
    if desk is None:
        raise Fault(Error.NOT_FOUND, NOT_THERE)
    refuse_without_service(desk)
    return desk
