// Signs what makers of the taker desk sign, with a private key: the message that connects a wallet (personal_sign), and
// orders (EIP-712).
import { keccak_256 as keccak } from "./noble-hashes-2.4.0/sha3.js";
import { bytesToHex, concatBytes, hexToBytes } from "./noble-hashes-2.4.0/utils.js";
import { getPublicKey, signAsync } from "./noble-secp256k1-3.2.0/index.js";

const text = new TextEncoder();
const hashed = (words) => keccak(text.encode(words));
const DOMAIN = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const ORDER =
  "Order(address maker,address principal,bool isBuy,string ticker,uint16 exchange,address asset,uint256 price," +
  "uint256 quantity,uint256 incentive,uint256 deadline,uint256 nonce)";

function bytesOf(key) {
  return hexToBytes(key.slice(2));
}

function addressOf(key) {
  return "0x" + bytesToHex(keccak(getPublicKey(bytesOf(key), false).slice(1)).slice(-20));
}

// Return a member as the 32 bytes that EIP-712 hashes.
function encoded(kind, value) {
  if (kind === "string") return hashed(value);
  if (typeof value === "number" && !Number.isSafeInteger(value)) throw new Error(`write ${value} as a text`);
  return hexToBytes(BigInt(value).toString(16).padStart(64, "0"));
}

function structHash(type, values) {
  const members = type.slice(type.indexOf("(") + 1, -1).split(",").map((member) => member.split(" "));
  return keccak(concatBytes(hashed(type), ...members.map(([kind, name]) => encoded(kind, values[name]))));
}

async function signature(digest, key) {
  const [recovery, ...rs] = await signAsync(digest, bytesOf(key), { prehash: false, format: "recovered" });
  return "0x" + bytesToHex(Uint8Array.from([...rs, recovery + 27]));
}

// Return the body of POST /makers/connect. signature: a private key; message: made anew if there is none.
export async function signedConnect({ message, signature: key }, { chainId }) {
  const address = addressOf(key);
  const lines = [
    `Wallet address: ${address}`,
    `ChainId: ${chainId}`,
    `Timestamp: ${new Date().toISOString()}`,
    `Nonce: ${crypto.randomUUID()}`,
  ];
  const said = text.encode(message || lines.join("\n"));
  const digest = keccak(concatBytes(text.encode(`\x19Ethereum Signed Message:\n${said.length}`), said));
  return {
    wallet_address: address,
    chain_id: String(chainId),
    message: message || lines.join("\n"),
    signature: await signature(digest, key),
  };
}

// Return the body of POST /orders: its order, signed by the private key in the place of its signature.
export async function signedOrder({ order, signature: key, ...others }, { chainId, verifyingContract }) {
  const maker = addressOf(key);
  const values = { ...order, maker, isBuy: (order.is_buy ?? order.isBuy) ? 1 : 0 };
  const domain = structHash(DOMAIN, { name: "RFQSettlement", version: "1", chainId, verifyingContract });
  const digest = keccak(concatBytes(Uint8Array.of(0x19, 0x01), domain, structHash(ORDER, values)));
  return { ...others, order, signature: await signature(digest, key) };
}
