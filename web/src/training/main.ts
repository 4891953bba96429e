import "../shared/page.css";
import { readData } from "../shared/data";

const data = readData<{ title: string }>();
const heading = document.createElement("h1");
heading.textContent = data.title;
document.getElementById("app")?.append(heading);
