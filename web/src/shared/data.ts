/** What the page is made from, as Python put it into the document. */
export function readData<Data>(): Data {
  const text = document.getElementById("data")?.textContent;
  if (!text) throw new Error("the page holds no data");
  return JSON.parse(text) as Data;
}
