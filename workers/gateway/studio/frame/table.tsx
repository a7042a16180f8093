/** A table that scrolls sideways within the page, also by keyboard. */
import type { ComponentChildren } from "preact";

interface TableProps {
  /** The id of the heading that names the table. */
  heading: string;
  columns: readonly string[];
  /** Rows: `tr` elements. */
  children: ComponentChildren;
}

export const Table = ({ heading, columns, children }: TableProps) => (
  // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls needs the keyboard
  <section class="scrolls" aria-labelledby={heading} tabIndex={0}>
    <table>
      <thead>
        <tr>
          {columns.map((column) => (
            <th key={column} scope="col">
              {column}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  </section>
);
