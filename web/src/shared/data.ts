import { fromBase64, inflate } from "./arrays";

/** The page's data, as Python put it into the document: JSON, or JSON deflated. */
export async function readData<Data>(): Promise<Data> {
  const text = document.getElementById("data")?.textContent;
  if (!text) throw new Error("the page holds no data");
  const found = JSON.parse(text) as Data | { deflated: string };
  if (!(found instanceof Object && "deflated" in found)) return found;
  const bytes = await inflate(fromBase64(found.deflated));
  return JSON.parse(new TextDecoder().decode(bytes)) as Data;
}
