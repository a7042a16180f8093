import { start } from "../../frame/start.tsx";
import { Training } from "./screen.tsx";

start("training", Training);
